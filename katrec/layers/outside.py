"""Which items may be negatives of a sequence: those that it does not hold."""

from __future__ import annotations

import tensorflow as tf


def outside(sequences: tf.Tensor, num_items: int) -> tf.Tensor:
    """Returns bool[B, |I| + 1], whether an item is outside each sequence; padding, in the last column, is not.

    Args:
      sequences: int32[B, w], |I| at padding.
      num_items: |I|.
    """
    shape = tf.shape(sequences)
    rows = tf.repeat(tf.range(shape[0]), shape[1])
    places = tf.stack([rows, tf.reshape(sequences, [-1])], axis=1)
    counts = tf.scatter_nd(places, tf.ones(tf.shape(rows)), [shape[0], num_items + 1])
    return (counts == 0) & (tf.range(num_items + 1) != num_items)
