"""Ranks of the held-out items, among sampled negatives and among all items."""

import numpy as np
import tensorflow as tf

from katrec.data.negatives import item_negatives
from katrec.data.sequences import recent_items
from katrec.evaluation.metrics import metrics

NEGATIVES_SEED = 2020
BATCH_USERS = 512
SPLITS = ("valid", "test")


class Evaluator:
    """Ranks the held-out items of one split.

    `sampled`: among `num_negatives` distinct items outside all of the user's interactions, drawn once from a fixed
    seed, the same for every model and training seed. `full`: among all items outside the history that the model
    reads; the target is always ranked. Ties count against the target.

    Args:
      dataset: `Dataset`.
      split: "valid" or "test".
      num_negatives: negatives a user; a user with fewer items outside the history gets all of those.
      max_length: T; the model reads the last T − 1 items.

    Attributes:
      users: int[n], the users with a held-out item.
    """

    def __init__(self, dataset, split, num_negatives, max_length):
        targets = getattr(dataset, split)
        self.users = np.flatnonzero(targets >= 0)
        self._targets = targets[self.users]
        generator = np.random.default_rng([NEGATIVES_SEED, SPLITS.index(split)])
        negatives = item_negatives(
            *dataset.interactions(), dataset.num_users, dataset.num_items, num_negatives, generator
        )[self.users]
        self._candidates = np.concatenate([self._targets[:, None], negatives], axis=1)
        self._offsets, self._items = dataset.histories(split)
        self._num_items = dataset.num_items
        # Users of similar history lengths share a batch; ranks are put back into the users' order.
        lengths = np.diff(self._offsets)[self.users]
        self._batches = np.split(np.argsort(lengths, kind="stable"), range(BATCH_USERS, len(self.users), BATCH_USERS))
        self._max_length = max_length

    def ranks(self, model, full=True):
        """Returns the targets' ranks by protocol: {"sampled": int64[n], "full": int64[n]}, in the order of `users`.

        Args:
          model: a `ClozeRecommender`.
          full: also rank among all items.
        """
        rank = _RankFunction(model)
        ranks = {"sampled": np.empty(len(self.users), np.int64)}
        if full:
            ranks["full"] = np.empty(len(self.users), np.int64)
        for batch in self._batches:
            users = self.users[batch]
            padding = model.tokens.padding
            histories = recent_items(self._offsets, self._items, users, self._max_length - 1, padding)
            vectors = rank.vectors(histories, users.astype(np.int32))
            ranks["sampled"][batch] = rank.sampled(vectors, self._candidates[batch])
            if full:
                ranks["full"][batch] = rank.full(vectors, self._targets[batch], *self._seen(users))
        return ranks

    def evaluate(self, model, full=True):
        """Returns {"sampled": metrics, "full": metrics} of a model (see `metrics`)."""
        return {protocol: metrics(ranks) for protocol, ranks in self.ranks(model, full).items()}

    def _seen(self, users):
        """The (row, item) pairs of the users' whole histories."""
        lengths = np.diff(self._offsets)[users]
        rows = np.repeat(np.arange(len(users)), lengths)
        places = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return rows, self._items[self._offsets[users][rows] + places]


class _RankFunction:
    """A model's scores turned to ranks; its item tables are computed once."""

    def __init__(self, model):
        self._tables = tf.function(model.item_tables)()
        self._model = model
        self._traced = tf.function(
            lambda histories, users: model.next_item_vectors(histories, users, self._tables),
            input_signature=[tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)],
        )

    def vectors(self, histories, users):
        return self._traced(tf.constant(histories), tf.constant(users))

    def sampled(self, vectors, candidates):
        known = np.maximum(candidates, 0)
        scores = tf.einsum("nq,ncq->nc", vectors, tf.gather(self._tables.outputs, known))
        scores = scores.numpy() + self._model.head.bias.numpy()[known]
        return rank_of_first(np.where(candidates >= 0, scores, -np.inf))

    def full(self, vectors, targets, rows, items):
        scores = self._model.head.logits(vectors, self._tables.outputs).numpy()
        target = scores[np.arange(len(targets)), targets]
        scores[rows, items] = -np.inf
        scores[np.arange(len(targets)), targets] = -np.inf
        return rank_of_first(np.concatenate([target[:, None], scores], axis=1))


def rank_of_first(scores):
    """Returns the rank, from 1, of column 0 in each row of float[n, c]; equal scores come before it.

    A score that is not a number counts as worst for the target and as best for the others.
    """
    target = scores[:, :1]
    return 1 + np.sum(~(scores[:, 1:] < target), axis=1)
