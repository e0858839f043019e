"""Ranks of the held-out items, among sampled negatives and among all items."""

from __future__ import annotations

from typing import Optional

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from katrec.common.command_line import UserError
from katrec.common.rankings import PROTOCOLS, SPLITS
from katrec.data.dataset import Dataset
from katrec.data.negatives import item_negatives
from katrec.data.sequences import positions_within, recent_items
from katrec.evaluation.metrics import metrics
from katrec.layers.added_scores import SparseScores, values_at
from katrec.layers.tracing import traced
from katrec.models.base import RankingModel, all_scores

NEGATIVES_SEED = 2020
BATCH_USERS = 512
SILENT_SECONDS = 3


class Evaluator:
    """Ranks the held-out items of one split.

    `sampled`: among `num_negatives` distinct items that the user has not interacted with up to the target, drawn once
    from a fixed seed, the same for every model and training seed. The ranking of the validation items does not know the
    test items: they may be among its negatives. `full`: among all items outside the history that the model reads; the
    target is always ranked. Ties count against the target.

    A user whose history has every other item leaves nothing to rank the target against, and is left out.

    Args:
      model: what is evaluated.
      dataset: what it is evaluated on.
      split: "valid" or "test".
      num_negatives: how many for each user; a user with fewer items outside the history gets all of those.

    Attributes:
      split: as given.
      users: int[n], the users with a held-out item that can be ranked.
      left_out: how many users have a held-out item and nothing to rank it against.
      short: how many of `users` have fewer negatives than were asked for.
      fewest: how many the user with the fewest has.

    Raises:
      UserError: no user can be evaluated.
    """

    def __init__(self, model: RankingModel, dataset: Dataset, split: str, num_negatives: int) -> None:
        self._model = model
        self.split = split
        self._tables = traced(model.inference_tables)
        self._vectors = traced(model.next_item_vectors, reduce_retracing=True)
        self._neighbours = traced(model.neighbour_scores, reduce_retracing=True)
        targets = getattr(dataset, split)
        generator = np.random.default_rng([NEGATIVES_SEED, SPLITS.index(split)])
        known = dataset.interactions(split)
        negatives = item_negatives(*known, dataset.num_users, dataset.num_items, num_negatives, generator)
        held_out = targets >= 0
        self.users = np.flatnonzero(held_out & (negatives[:, 0] >= 0))
        self.left_out = int(held_out.sum()) - len(self.users)
        if not len(self.users):
            raise UserError(
                f"data set {dataset.name}: no user's {split} item can be ranked: "
                + ("every history has all items" if held_out.any() else "no user has three interactions")
            )
        negatives = negatives[self.users]
        self.short = int((negatives[:, -1] < 0).sum())
        self.fewest = int((negatives >= 0).sum(axis=1).min())
        self._targets = targets[self.users].astype(np.int32)
        self._candidates = np.concatenate([self._targets[:, None], negatives], axis=1)
        self._offsets, self._items = dataset.histories(split)
        self._seen_offsets, self._seen_items = _distinct_but(targets, self._offsets, self._items, dataset.num_items)
        # Users of similar history lengths share a batch; ranks are put back into the users' order.
        order = np.argsort(self.lengths(), kind="stable")
        self._batches = np.split(order, range(BATCH_USERS, len(self.users), BATCH_USERS))

    def lengths(self) -> np.ndarray:
        """Returns how many positions the model reads of each user, the one that it predicts included, int64[n]."""
        return np.minimum(np.diff(self._offsets)[self.users], self._model.history_length) + 1

    def cold_targets(self) -> np.ndarray:
        """Returns which users' held-out items are cold, bool[n], in the order of `users`."""
        return np.asarray(self._model.is_cold)[self._targets]

    def cold_ranks(self) -> np.ndarray:
        """Returns the targets' ranks among the cold items outside the history, int64[n]; 0 where a target is not cold.

        Users in the order of `users`.
        """
        tables = self._tables()
        # An item with −∞ comes before none.
        tables = tables._replace(bias=tf.where(self._model.is_cold, tables.bias, -np.inf))
        cold, ranks = self.cold_targets(), np.zeros(len(self.users), np.int64)
        for batch in self._batches:
            chosen = batch[cold[batch]]
            if len(chosen):
                ranks[chosen], _ = self._full_ranks(chosen, tables, *self._asked(chosen, tables))
        return ranks

    def ranks(self, full: bool = True) -> dict[str, np.ndarray]:
        """Returns the targets' ranks by protocol: {"sampled": int64[n], "full": int64[n]}, in the order of `users`.

        Memory is bounded: users are scored `BATCH_USERS` at a time.

        Args:
          full: also rank among all items.
        """
        return self._rank(full)[0]

    def ranks_and_lists(self, length: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns the ranks, and what is recommended: the best items outside the history, int32[n, length].

        Args:
          length: of the lists; −1 stands where a user has fewer items.
        """
        return self._rank(full=True, length=length)

    def _rank(self, full, length=0):
        tables = self._tables()
        ranks = {protocol: np.empty(len(self.users), np.int64) for protocol in (PROTOCOLS if full else PROTOCOLS[:1])}
        lists = np.full((len(self.users), length), -1, np.int32)
        progress = {"unit": "batch", "leave": False, "delay": SILENT_SECONDS, "dynamic_ncols": True}
        for batch in tqdm(self._batches, "ranking", **progress):
            vectors, added = self._asked(batch, tables)
            ranks["sampled"][batch] = sampled_ranks(
                vectors, tables.outputs, tables.bias, self._candidates[batch], added
            )
            if full:
                ranks["full"][batch], best = self._full_ranks(batch, tables, vectors, added, length)
                lists[batch, : best.shape[1]] = best
        return ranks, lists

    def _asked(self, batch, tables):
        """Returns the vectors and the added scores of some users, whose places among `users` are given."""
        users = self.users[batch]
        model = self._model
        histories = recent_items(self._offsets, self._items, users, model.history_length, model.tokens.padding)
        vectors = self._vectors(tf.constant(histories), tf.constant(users, tf.int32), tables)
        return vectors, self._neighbours(vectors, tf.constant(histories), tables)

    def _full_ranks(self, batch, tables, vectors, added, length=0):
        seen = self._seen_pairs(self.users[batch])
        return full_ranks(vectors, tables.outputs, tables.bias, self._targets[batch], seen, added, length)

    def evaluate(self, full: bool = True) -> dict[str, dict[str, float]]:
        """Returns {"sampled": metrics, "full": metrics} (see `metrics`)."""
        return {protocol: metrics(ranks) for protocol, ranks in self.ranks(full).items()}

    def _seen_pairs(self, users):
        """Returns the places of what the users have seen, but their targets, among the scores of a batch."""
        lengths = np.diff(self._seen_offsets)[users]
        rows = np.repeat(np.arange(len(users)), lengths)
        seen = self._seen_items[self._seen_offsets[users][rows] + positions_within(lengths)]
        return np.stack([rows, seen], axis=1).astype(np.int32)


def _distinct_but(excluded, offsets, items, num_items):
    """Returns the distinct items of each history without the user's `excluded` one, as offsets and items."""
    users = np.repeat(np.arange(len(excluded)), np.diff(offsets))
    kept = items != excluded[users]
    keys = np.unique(users[kept] * num_items + items[kept])
    return np.searchsorted(keys, np.arange(len(excluded) + 1) * num_items), keys % num_items


@traced(reduce_retracing=True)
def sampled_ranks(
    vectors: tf.Tensor,
    items: tf.Tensor,
    bias: tf.Tensor,
    candidates: tf.Tensor,
    added: Optional[SparseScores] = None,
) -> tf.Tensor:
    """Returns the rank of each row's first candidate among the row's others, as `rank_of_first`.

    Args:
      vectors: float[n, q].
      items: float[|I|, q].
      bias: float[|I|].
      candidates: int32[n, c], filled up with −1.
      added: of the model's `neighbour_scores`.

    Returns:
      int32[n].
    """
    known = tf.maximum(candidates, 0)
    if added is None:
        scores = tf.einsum("nq,ncq->nc", vectors, tf.gather(items, known)) + tf.gather(bias, known)
    else:
        scores = tf.gather(all_scores(vectors, items, bias, added), known, batch_dims=1)
    return rank_of_first(tf.where(candidates >= 0, scores, -np.inf))


def rank_of_first(scores: tf.Tensor) -> tf.Tensor:
    """Returns the rank, from 1, of column 0 in each row of float[n, c], as int32[n]; equal scores come before it.

    A score that is not a number counts as worst for the target and as best for the others.
    """
    return 1 + tf.math.count_nonzero(~(scores[:, 1:] < scores[:, :1]), axis=1, dtype=tf.int32)


@traced(reduce_retracing=True)
def full_ranks(
    vectors: tf.Tensor,
    items: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    seen: tf.Tensor,
    added: Optional[SparseScores] = None,
    length: int = 0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the rank, from 1, of each row's target among all items that it has not seen; ties as in `rank_of_first`.

    And the best of those items.

    Args:
      vectors: float[n, q].
      items: float[|I|, q].
      bias: float[|I|].
      targets: int32[n].
      seen: int32[m, 2], pairs of row and item, each once, no target among them.
      added: of the model's `neighbour_scores`.
      length: how many of the best items are wanted, a Python number.

    Returns:
      int32[n], and int32[n, min(length, |I|)], the best first, −1 where a row has seen the rest.
    """
    scores = all_scores(vectors, items, bias, added)
    target = tf.gather(scores, targets, batch_dims=1)
    # The target is not below itself: with it the count is the rank.
    rank = tf.math.count_nonzero(~(scores < target[:, None]), axis=1, dtype=tf.int32)
    before = ~(values_at(scores, seen) < tf.gather(target, seen[:, 0]))
    rank -= tf.math.unsorted_segment_sum(tf.cast(before, tf.int32), seen[:, 0], tf.shape(targets)[0])
    if not length:
        return rank, tf.zeros([tf.shape(targets)[0], 0], tf.int32)
    unseen = tf.tensor_scatter_nd_update(scores, seen, tf.fill(tf.shape(seen)[:1], -np.inf))
    best, places = tf.math.top_k(unseen, tf.minimum(length, tf.shape(unseen)[1]))
    return rank, tf.where(best != -np.inf, places, -1)
