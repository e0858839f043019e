"""Edges between items: the graph's triplets, and who followed whom in the training histories. Beyond the paper."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from katrec.data.collaborative_graph import CollaborativeGraph
from katrec.data.dataset import Dataset


class ItemEdges(NamedTuple):
    """Edges (j, r, i) between different items, sorted by j.

    Attributes:
      starts: int32[|I| + 1], where the edges of each item j begin.
      relations: int32[E], r: those of the graph that join items, numbered anew from 0; then two for each distance
        d = 1, 2, … of transitions, "d places later" and "d places earlier".
      tails: int32[E], i.
      counts: float32[E], how often: 1 of a triplet, the number of times of a transition.
    """

    starts: np.ndarray
    relations: np.ndarray
    tails: np.ndarray
    counts: np.ndarray


def names(
    graph: CollaborativeGraph, dataset: Dataset, relations: Sequence[Hashable], transition_reach: int
) -> list[Hashable]:
    """Returns what names each relation of the edges.

    Args:
      graph: as in `build`.
      dataset: as there.
      relations: names of the graph's.
      transition_reach: as there.
    """
    present = np.unique(graph.relations[_between_items(graph, dataset)])
    distances = range(1, transition_reach + 1)
    return [*(relations[one] for one in present), *((way, one) for one in distances for way in ("later", "earlier"))]


def _between_items(graph, dataset):
    return (graph.heads < dataset.num_items) & (graph.tails < dataset.num_items) & (graph.heads != graph.tails)


def build(graph: CollaborativeGraph, dataset: Dataset, transition_reach: int) -> ItemEdges:
    """Returns the edges between items.

    Args:
      graph: the data set's.
      dataset: its training histories are read.
      transition_reach: an item's successors and predecessors in them within so many places are edges too.
    """
    inside = _between_items(graph, dataset)
    present, relations = np.unique(graph.relations[inside], return_inverse=True)
    parts = [(graph.heads[inside], relations, graph.tails[inside], np.ones(inside.sum()))]
    for distance in range(1, transition_reach + 1):
        before, after, counts = _transitions(dataset, distance)
        later = np.full(len(before), len(present) + 2 * (distance - 1))
        parts += [(before, later, after, counts), (after, later + 1, before, counts)]
    heads, relations, tails, counts = map(np.concatenate, zip(*parts))
    order = np.lexsort((tails, relations, heads))
    starts = np.searchsorted(heads[order], np.arange(dataset.num_items + 1))
    return ItemEdges(
        starts.astype(np.int32),
        relations[order].astype(np.int32),
        tails[order].astype(np.int32),
        counts[order].astype(np.float32),
    )


def _transitions(dataset, distance):
    """Returns the pairs of different items that stand so far apart in a history, and how often each does."""
    users = np.repeat(np.arange(dataset.num_users), np.diff(dataset.offsets))
    items = dataset.items.astype(np.int64)
    before, after = items[:-distance], items[distance:]
    inside = (users[distance:] == users[:-distance]) & (before != after)
    keys, counts = np.unique(before[inside] * dataset.num_items + after[inside], return_counts=True)
    return keys // dataset.num_items, keys % dataset.num_items, counts
