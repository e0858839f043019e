"""Which entities that are no items the graph joins to each item. Beyond the paper."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from katrec.data.collaborative_graph import CollaborativeGraph
from katrec.data.dataset import Dataset


class ItemAttributes(NamedTuple):
    """The pairs of an item and an entity that is none, sorted by item, each once.

    Attributes:
      items: int32[P].
      entities: int32[P], from 0, the entities that are no items.
      num_entities: how many of them the data set has.
    """

    items: np.ndarray
    entities: np.ndarray
    num_entities: int


def build(graph: CollaborativeGraph, dataset: Dataset) -> ItemAttributes:
    """Returns the pairs that a triplet joins, whatever its relation and direction.

    Args:
      graph: the data set's, which has both directions of each triplet.
      dataset: its sizes are read.
    """
    inside = (
        (graph.heads < dataset.num_items) & (graph.tails >= dataset.num_items) & (graph.tails < dataset.num_entities)
    )
    pairs = np.unique(np.stack([graph.heads[inside], graph.tails[inside] - dataset.num_items], axis=1), axis=0)
    return ItemAttributes(pairs[:, 0], pairs[:, 1], dataset.num_entities - dataset.num_items)
