"""Ranks of the held-out items, among sampled negatives and among all items."""

import numpy as np
import tensorflow as tf

from katrec.data.negatives import item_negatives
from katrec.data.sequences import positions_within, recent_items
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
      model: a `ClozeRecommender`; it reads the last T − 1 items.
      dataset: `Dataset`.
      split: "valid" or "test".
      num_negatives: negatives a user; a user with fewer items outside the history gets all of those.

    Attributes:
      users: int[n], the users with a held-out item.
    """

    def __init__(self, model, dataset, split, num_negatives):
        self._model = model
        self._item_tables = tf.function(model.item_tables)
        self._vectors = tf.function(model.next_item_vectors, reduce_retracing=True)
        targets = getattr(dataset, split)
        self.users = np.flatnonzero(targets >= 0)
        self._targets = targets[self.users]
        generator = np.random.default_rng([NEGATIVES_SEED, SPLITS.index(split)])
        negatives = item_negatives(
            *dataset.interactions(), dataset.num_users, dataset.num_items, num_negatives, generator
        )[self.users]
        self._candidates = np.concatenate([self._targets[:, None], negatives], axis=1)
        self._offsets, self._items = dataset.histories(split)
        # Users of similar history lengths share a batch; ranks are put back into the users' order.
        lengths = np.diff(self._offsets)[self.users]
        self._batches = np.split(np.argsort(lengths, kind="stable"), range(BATCH_USERS, len(self.users), BATCH_USERS))

    def ranks(self, full=True):
        """Returns the targets' ranks by protocol: {"sampled": int64[n], "full": int64[n]}, in the order of `users`.

        Args:
          full: also rank among all items.
        """
        tables = self._item_tables()
        protocols = {"sampled": self._sampled, "full": self._full} if full else {"sampled": self._sampled}
        ranks = {protocol: np.empty(len(self.users), np.int64) for protocol in protocols}
        for batch in self._batches:
            users = self.users[batch]
            histories = recent_items(
                self._offsets, self._items, users, self._model.max_length - 1, self._model.tokens.padding
            )
            vectors = self._vectors(tf.constant(histories), tf.constant(users, tf.int32), tables)
            for protocol, rank in protocols.items():
                ranks[protocol][batch] = rank(vectors, tables.outputs, batch)
        return ranks

    def evaluate(self, full=True):
        """Returns {"sampled": metrics, "full": metrics} (see `metrics`)."""
        return {protocol: metrics(ranks) for protocol, ranks in self.ranks(full).items()}

    def _sampled(self, vectors, items, batch):
        candidates = self._candidates[batch]
        known = np.maximum(candidates, 0)
        scores = tf.einsum("nq,ncq->nc", vectors, tf.gather(items, known)) + tf.gather(self._model.head.bias, known)
        return rank_of_first(np.where(candidates >= 0, scores, -np.inf))

    def _full(self, vectors, items, batch):
        rows, targets = np.arange(len(batch)), self._targets[batch]
        scores = self._model.head.logits(vectors, items).numpy()
        target = scores[rows, targets]
        scores[self._seen(self.users[batch])] = -np.inf
        scores[rows, targets] = -np.inf
        return rank_of_first(np.concatenate([target[:, None], scores], axis=1))

    def _seen(self, users):
        """The (row, item) pairs of the users' whole histories."""
        lengths = np.diff(self._offsets)[users]
        rows = np.repeat(np.arange(len(users)), lengths)
        return rows, self._items[self._offsets[users][rows] + positions_within(lengths)]


def rank_of_first(scores):
    """Returns the rank, from 1, of column 0 in each row of float[n, c]; equal scores come before it.

    A score that is not a number counts as worst for the target and as best for the others.
    """
    target = scores[:, :1]
    return 1 + np.sum(~(scores[:, 1:] < target), axis=1)
