"""What is added to some of the scores of items: few of many, so that they are kept by place."""

from __future__ import annotations

from typing import NamedTuple, Optional

import tensorflow as tf


class SparseScores(NamedTuple):
    """What is added to some of the scores float[n, |I|].

    Attributes:
      places: int32[m, 2], rows and items; a place may occur more than once, and its values add up.
      values: float32[m].
    """

    places: tf.Tensor
    values: tf.Tensor


class EdgeScores(NamedTuple):
    """The same by the edges of the items that are read: an edge adds to one item's score in each of k rows.

    The rows of a sequence stand together, and so do the edges of its items.

    Attributes:
      rows: int32[p, k], the rows that look back on each of the p items that are read, in their order. Where it is fewer
        than k there are others of the same sequence, and the value is 0.
      readings: int32[m], which of the p items each edge begins at, ascending.
      tails: int32[m], the item whose scores it adds to.
      values: float32[m, k].
      first_rows, first_edges: int32[B + 1], where each sequence's begin.
    """

    rows: tf.Tensor
    readings: tf.Tensor
    tails: tf.Tensor
    values: tf.Tensor
    first_rows: tf.Tensor
    first_edges: tf.Tensor

    def sparse(self) -> SparseScores:
        """Returns the same as `SparseScores`, sorted by row where k is 1."""
        rows = tf.gather(self.rows, self.readings)
        tails = tf.broadcast_to(self.tails[:, None], tf.shape(rows))
        return SparseScores(tf.reshape(tf.stack([rows, tails], axis=-1), [-1, 2]), tf.reshape(self.values, [-1]))


def with_added(scores: tf.Tensor, added: Optional[SparseScores]) -> tf.Tensor:
    """Returns the scores float32[n, |I|] with what is added to some of them; as they are where that is None."""
    return scores if added is None else tf.tensor_scatter_nd_add(scores, *added)


def values_at(scores: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Returns the values of a matrix [n, |I|] at int32[m, 2], [m]; there must be fewer than 2³¹, n · |I|.

    By place in the flat scores: TensorFlow 2.21 has no GPU kernel for gather_nd with int32 indices.
    """
    return tf.gather(tf.reshape(scores, [-1]), places[:, 0] * tf.shape(scores)[1] + places[:, 1])
