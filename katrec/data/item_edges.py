"""Edges between items: the graph's triplets, and who followed whom in the training histories. Beyond the paper."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from katrec.data import item_contents
from katrec.data.collaborative_graph import CollaborativeGraph
from katrec.data.dataset import Dataset

TRANSITIONS = ("later", "earlier")
# Likeness counts so much more where it leads to a cold item, which has no transitions beside it.
SIMILARITY = 1.5


class ItemEdges(NamedTuple):
    """Edges (j, r, i) between different items, sorted by j.

    Attributes:
      starts: int32[|I| + 1], where the edges of each item j begin.
      relations: int32[E], r: those of the graph that join items, numbered anew from 0; where wanted one of items that
        are alike; then two for each distance d = 1, 2, … of transitions, "d places later" and "d places earlier".
      tails: int32[E], i.
      counts: float32[E], c, how often: 1 of a triplet, the number of times of a transition; of items that are alike
        log₂(1 + c) is the cosine (`katrec.data.item_contents`), `SIMILARITY` times that to a cold item.
    """

    starts: np.ndarray
    relations: np.ndarray
    tails: np.ndarray
    counts: np.ndarray


def names(
    graph: CollaborativeGraph,
    dataset: Dataset,
    relations: Sequence[Hashable],
    transition_reach: int,
    similar_items: int = 0,
) -> list[Hashable]:
    """Returns what names each relation of the edges.

    Args:
      graph: as in `build`.
      dataset: as there.
      relations: names of the graph's.
      transition_reach: as there.
      similar_items: as there.
    """
    present = np.unique(graph.relations[_between_items(graph, dataset)])
    alike = ["alike"] if similar_items else []
    transitions = [(way, one) for one in range(1, transition_reach + 1) for way in TRANSITIONS]
    return [*(relations[one] for one in present), *alike, *transitions]


def _between_items(graph, dataset):
    return (graph.heads < dataset.num_items) & (graph.tails < dataset.num_items) & (graph.heads != graph.tails)


def build(graph: CollaborativeGraph, dataset: Dataset, transition_reach: int, similar_items: int = 0) -> ItemEdges:
    """Returns the edges between items.

    Args:
      graph: the data set's.
      dataset: its training histories are read.
      transition_reach: an item's successors and predecessors in them within so many places are edges too.
      similar_items: so many of the items most like it are, and as many of the cold ones.
    """
    inside = _between_items(graph, dataset)
    present, relations = np.unique(graph.relations[inside], return_inverse=True)
    parts = [(graph.heads[inside], relations, graph.tails[inside], np.ones(inside.sum()))]
    first = len(present)
    if similar_items:
        items, others, cosines = _alike(dataset, similar_items)
        parts.append((items, np.full(len(items), first), others, np.exp2(cosines) - 1))
        first += 1
    for distance in range(1, transition_reach + 1):
        before, after, counts = _transitions(dataset, distance)
        later = np.full(len(before), first + 2 * (distance - 1))
        parts += [(before, later, after, counts), (after, later + 1, before, counts)]
    return in_order([np.concatenate(one) for one in zip(*parts)], dataset.num_items)


def in_order(edges: Sequence[np.ndarray], num_items: int) -> ItemEdges:
    """Returns edges (j, r, i) in any order as `ItemEdges`.

    Args:
      edges: j, r, i and c, [E] each.
      num_items: |I|.
    """
    heads, relations, tails, counts = edges
    order = np.lexsort((tails, relations, heads))
    starts = np.searchsorted(heads[order], np.arange(num_items + 1))
    return ItemEdges(
        starts.astype(np.int32),
        relations[order].astype(np.int32),
        tails[order].astype(np.int32),
        counts[order].astype(np.float32),
    )


def heads_of(edges: ItemEdges) -> np.ndarray:
    """Returns j of each edge, int64[E]."""
    return np.repeat(np.arange(len(edges.starts) - 1), np.diff(edges.starts))


def within(edges: ItemEdges, wanted: np.ndarray) -> ItemEdges:
    """Returns the edges that lead to wanted items, bool[|I|]."""
    inside = wanted[edges.tails]
    return in_order([one[inside] for one in (heads_of(edges), *edges[1:])], len(wanted))


def _alike(dataset, count):
    """Returns each item's most similar ones and their cosines, of the cold items as many as of the others."""
    vectors = item_contents.item_vectors(dataset)
    groups = [group for group in (~dataset.is_cold, dataset.is_cold) if group.any()]
    parts = zip(*(item_contents.most_alike(vectors, count, group) for group in groups))
    items, others, cosines = map(np.concatenate, parts)
    return items, others, np.where(dataset.is_cold[others], SIMILARITY * cosines, cosines)


def _transitions(dataset, distance):
    """Returns the pairs of different items that stand so far apart in a history, and how often each does."""
    users = np.repeat(np.arange(dataset.num_users), np.diff(dataset.offsets))
    items = dataset.items.astype(np.int64)
    before, after = items[:-distance], items[distance:]
    inside = (users[distance:] == users[:-distance]) & (before != after)
    keys, counts = np.unique(before[inside] * dataset.num_items + after[inside], return_counts=True)
    return keys // dataset.num_items, keys % dataset.num_items, counts
