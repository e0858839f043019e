"""Negatives: broken triplets for Eq. 1, items that training tells from the next one, items that evaluation ranks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from katrec.data.collaborative_graph import CollaborativeGraph, edge_keys
from katrec.data.dataset import Dataset
from katrec.data.sequences import positions_within


class TripletSampler:
    """Draws (h, r, t) ∈ 𝒢 uniformly and for each a t′, uniform over all nodes, with (h, r, t′) ∉ 𝒢 (Section 3.4).

    Args:
      graph: `CollaborativeGraph`.

    Raises:
      ValueError: some head is joined to every node by one relation, so that it has no t′.
    """

    def __init__(self, graph: CollaborativeGraph) -> None:
        self.graph = graph
        self.keys = edge_keys(graph.heads, graph.relations, graph.tails, graph.num_nodes, graph.num_relations)
        pairs, counts = np.unique(self.keys // graph.num_nodes, return_counts=True)
        if len(pairs) and counts.max() == graph.num_nodes:
            raise ValueError(f"node {pairs[counts.argmax()] // graph.num_relations} is joined to every node")

    def sample(self, generator: np.random.Generator, size: int) -> np.ndarray:
        """Returns int32[size, 4], columns h, r, t, t′, drawn with a `numpy.random.Generator`."""
        graph = self.graph
        edges = generator.integers(len(self.keys), size=size)
        heads, relations = graph.heads[edges], graph.relations[edges]
        broken = _drawn_outside(
            generator, graph.num_nodes, size, lambda rows, tails: self.contains(heads[rows], relations[rows], tails)
        )
        return np.stack([heads, relations, graph.tails[edges], broken], axis=1)

    def contains(self, heads: np.ndarray, relations: np.ndarray, tails: np.ndarray) -> np.ndarray:
        """Returns bool[n]: is (h, r, t) an edge of 𝒢?"""
        keys = edge_keys(heads, relations, tails, self.graph.num_nodes, self.graph.num_relations)
        return _among(self.keys, keys)


class ItemSampler:
    """Draws items uniform over those outside a user's training history; over all, where that has every item.

    Cold items are never drawn.

    Args:
      dataset: `Dataset`.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._num_items = dataset.num_items
        self._warm = np.flatnonzero(~dataset.is_cold)
        users = np.repeat(np.arange(dataset.num_users), np.diff(dataset.offsets))
        keys = np.unique(users * dataset.num_items + dataset.items)
        counts = np.bincount(keys // dataset.num_items, minlength=dataset.num_users)
        self._keys = keys[counts[keys // dataset.num_items] < len(self._warm)]

    def sample(self, generator: np.random.Generator, users: np.ndarray, width: int) -> np.ndarray:
        """Returns int32[n, width], items outside the histories of `users`, int[n]."""
        owners = np.repeat(users.astype(np.int64), width)
        drawn = _drawn_outside(
            generator,
            len(self._warm),
            len(owners),
            lambda rows, drawn: _among(self._keys, owners[rows] * self._num_items + self._warm[drawn]),
        )
        return self._warm[drawn].astype(np.int32).reshape(len(users), width)


def _drawn_outside(
    generator: np.random.Generator,
    high: int,
    size: int,
    forbidden: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Returns int32[size] uniform below `high`, drawn again where `forbidden(rows, numbers)` is true."""
    drawn = np.empty(size, np.int32)
    pending = np.arange(size)
    while len(pending):
        drawn[pending] = generator.integers(high, size=len(pending))
        pending = pending[forbidden(pending, drawn[pending])]
    return drawn


def _among(ordered: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Returns which of `keys` are in the sorted array `ordered`."""
    if not len(ordered):
        return np.zeros(len(keys), bool)
    return ordered[np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)] == keys


def item_negatives(
    users: np.ndarray,
    items: np.ndarray,
    num_users: int,
    num_items: int,
    count: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Draws for each user distinct items, uniform over those outside the user's history.

    A user with fewer than `count` such items gets all of them.

    Args:
      users: int[n], of every interaction, held out or not; repeats are allowed.
      items: int[n], of the same interactions.
      num_users: users are 0 … num_users − 1.
      num_items: |I|.
      count: negatives for each user.
      generator: `numpy.random.Generator`.

    Returns:
      int32[num_users, count], filled up with −1.
    """
    seen = np.unique(users.astype(np.int64) * num_items + items)
    seen_users, seen_items = seen // num_items, seen % num_items
    sizes = np.bincount(seen_users, minlength=num_users)
    ranks = _distinct(num_items - sizes, count, generator)
    # The j-th item outside a sorted history h_0 < h_1 < … is j + |{i : h_i − i ≤ j}|.
    starts = np.cumsum(sizes) - sizes
    gaps = seen_items - positions_within(sizes)
    row = np.arange(num_users)[:, None] * (num_items + 1)
    below = np.searchsorted(gaps + seen_users * (num_items + 1), np.maximum(ranks, 0) + row, side="right")
    return np.where(ranks >= 0, ranks + below - starts[:, None], -1).astype(np.int32)


def _distinct(sizes: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Returns int64[n, count]: in row i distinct numbers below sizes[i], as many as there are, then −1."""
    drawn = np.full((len(sizes), count), -1)
    few = sizes < 4 * count
    # Rejection would be slow for these: take the first columns of a random order instead.
    widest = max(int(sizes[few].max(initial=0)), count)
    for rows in np.array_split(np.flatnonzero(few), max(1, int(few.sum()) * widest // (1 << 24))):
        noise = generator.random((len(rows), widest))
        noise[np.arange(widest) >= sizes[rows, None]] = 2
        order = np.argsort(noise, axis=1)[:, :count]
        drawn[rows] = np.where(np.arange(count) < sizes[rows, None], order, -1)
    many = np.flatnonzero(~few)
    numbers = generator.integers(sizes[many, None], size=(len(many), count))
    pending = np.ones(len(many), bool)
    while pending.any():
        rows = np.flatnonzero(pending)
        repeated = _repeats(numbers[rows])
        pending[rows] = repeated.any(axis=1)
        row, column = np.nonzero(repeated)
        numbers[rows[row], column] = generator.integers(sizes[many[rows[row]]])
    drawn[many] = numbers
    return drawn


def _repeats(numbers: np.ndarray) -> np.ndarray:
    """Returns which entries stand earlier in their row already."""
    order = np.argsort(numbers, axis=1, kind="stable")
    ordered = np.take_along_axis(numbers, order, axis=1)
    repeated = np.zeros(numbers.shape, bool)
    np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    return repeated
