"""What stands in for the interactions that a cold item does not have: those of the items most like it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from katrec.data import item_contents
from katrec.data.dataset import Dataset
from katrec.data.item_edges import ItemEdges, heads_of, in_order
from katrec.data.sequences import positions_within

# How many of them. Their vector counts for half, beside the mean of all items: five others are a rough guess. Both, and
# SIMILARITY of `katrec.data.item_edges`, were chosen on validation items (docs/cold-items.md).
COUNT = 5
SHARE = 0.5


class StandIns(NamedTuple):
    """Pairs of a cold item and one of the items most like it, sorted by cold item.

    Attributes:
      items: int64[P], the cold ones.
      others: int64[P], items that are not.
      weights: float64[P], in proportion to their cosines; those of an item add up to 1.
    """

    items: np.ndarray
    others: np.ndarray
    weights: np.ndarray


def build(dataset: Dataset) -> StandIns:
    """Returns the stand-ins of each cold item; none for one that shares no entity with an item that is not cold."""
    vectors = item_contents.item_vectors(dataset)
    rows, others, cosines = item_contents.most_alike(vectors, COUNT, ~dataset.is_cold, dataset.cold)
    sums = np.bincount(rows, cosines, minlength=dataset.num_items)
    return StandIns(rows, others, cosines / sums[rows])


def with_transitions(edges: ItemEdges, stand_ins: StandIns, is_transition: np.ndarray) -> ItemEdges:
    """Returns edges with the transitions of cold items: their stand-ins', to them and from them.

    Of a transition that a stand-in of weight p has with log₂(1 + c), a cold item has p · log₂(1 + c).

    Args:
      edges: between items.
      stand_ins: of the cold ones.
      is_transition: which relations are transitions, bool.
    """
    all_edges = (heads_of(edges), *edges[1:])
    heads, names, tails, counts = (one[is_transition[edges.relations]] for one in all_edges)
    parts = [all_edges]
    for own, other in ((tails, heads), (heads, tails)):
        order = np.argsort(own, kind="stable")
        starts = np.searchsorted(own[order], stand_ins.others)
        lengths = np.searchsorted(own[order], stand_ins.others, side="right") - starts
        pairs = np.repeat(np.arange(len(lengths)), lengths)
        chosen = order[starts[pairs] + positions_within(lengths)]
        cold, beside = stand_ins.items[pairs], other[chosen]
        values = np.exp2(stand_ins.weights[pairs] * np.log2(1 + counts[chosen])) - 1
        ends = (beside, cold) if own is tails else (cold, beside)
        parts.append((ends[0], names[chosen], ends[1], values))
    return in_order([np.concatenate(one) for one in zip(*parts)], len(edges.starts) - 1)
