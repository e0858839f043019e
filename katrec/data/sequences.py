"""Windows over the users' histories, cut into batches of similar length."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SORTED_BATCHES = 16


class Tokens(NamedTuple):
    """The ids that stand in sequences beside the items 0 … |I| − 1."""

    padding: int
    mask: int
    total: int


def tokens_of(num_items: int) -> Tokens:
    """Returns the `Tokens` of |I| items."""
    return Tokens(padding=num_items, mask=num_items + 1, total=num_items + 2)


class Windows(NamedTuple):
    """Stretches of at most T items of the training histories.

    Attributes:
      users: int32[n], whose history.
      starts: int64[n], where in the data set's `items` the window begins.
      lengths: int32[n].
    """

    users: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray


def windows(offsets: np.ndarray, max_length: int, sliding_window: float) -> Windows:
    """Cuts every history of at least two items into windows; with T = 1, every history into single items.

    A history of n ≤ T items is one window. A longer one gives windows of T items that end at its end, one stride
    earlier, two strides earlier … and one that begins at its beginning, as BERT4Rec's released code does.

    Args:
      offsets: int64[users + 1] as in `Dataset`.
      max_length: T.
      sliding_window: the stride as a share of T, in (0, 1].

    Returns:
      `Windows`.
    """
    stride = max(1, int(sliding_window * max_length))
    lengths = np.diff(offsets)
    beyond = np.maximum(lengths - max_length, 0)
    counts = np.where(lengths >= min(max_length, 2), 1 + -(-beyond // stride), 0)
    users = np.repeat(np.arange(len(lengths)), counts)
    starts = np.maximum(beyond[users] - positions_within(counts) * stride, 0)
    return Windows(
        users.astype(np.int32), offsets[users] + starts, np.minimum(lengths[users], max_length).astype(np.int32)
    )


def prefixes(offsets: np.ndarray, max_length: int) -> Windows:
    """Returns every beginning of each history's last T items, as `Windows`: of n ≤ T items those of 1, 2, …, n.

    Args:
      offsets: int64[users + 1] as in `Dataset`.
      max_length: T.
    """
    counts = np.minimum(np.diff(offsets), max_length)
    users = np.repeat(np.arange(len(counts)), counts)
    starts = (offsets[1:] - counts)[users]
    return Windows(users.astype(np.int32), starts, (1 + positions_within(counts)).astype(np.int32))


def batch_order(lengths: np.ndarray, batch_size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Returns one epoch's batches: a list of int[≤ batch_size] of window numbers, each window in one batch.

    The windows are shuffled, sorted by length within groups of a few batches so that little is padded, and the
    batches are shuffled again.
    """
    order = generator.permutation(len(lengths))
    group = np.arange(len(order)) // (batch_size * SORTED_BATCHES)
    order = order[np.lexsort((lengths[order], group))]
    batches = np.split(order, np.arange(batch_size, len(order), batch_size))
    return [batches[i] for i in generator.permutation(len(batches))]


def positions_within(counts: np.ndarray) -> np.ndarray:
    """Returns 0 … counts[0] − 1, then 0 … counts[1] − 1, and so on, int64[sum of counts]."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def padded(items: np.ndarray, starts: np.ndarray, lengths: np.ndarray, padding: int) -> np.ndarray:
    """Returns int32[n, w]: stretches of `items`, right-aligned, w the longest of `lengths`, `padding` before them."""
    width = max(int(lengths.max(initial=0)), 1)
    places = (starts + lengths)[:, None] - np.arange(width, 0, -1)
    inside = np.arange(width, 0, -1) <= lengths[:, None]
    return np.where(inside, items[np.where(inside, places, 0)] if len(items) else padding, padding).astype(np.int32)


def recent_items(offsets: np.ndarray, items: np.ndarray, users: np.ndarray, count: int, padding: int) -> np.ndarray:
    """Returns int32[n, ≤ count]: the last `count` items of each user's history, right-aligned."""
    lengths = np.minimum(np.diff(offsets)[users], count)
    return padded(items, offsets[users + 1] - lengths, lengths, padding)
