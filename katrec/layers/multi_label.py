"""The binary cross-entropy of many labels, in blocks of rows."""

from __future__ import annotations

import tensorflow as tf

from katrec.layers.cross_entropy import BLOCK_ROWS
from katrec.layers.outer_sum import OuterSum


def weighted_multi_label_cross_entropy(
    vectors: tf.Tensor, table: tf.Tensor, sums: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor:
    """Returns Σ_n w_n Σ_a −[y_na ln p_na + (1 − y_na) ln(1 − p_na)], p_na = σ(v_n · u_a).

    As Σ_n w_n (Σ_a ln(1 + exp(v_n · u_a)) − v_n · Σ_a y_na u_a): the labels are needed as sums of vectors alone. The
    first part and its gradient are made of a block of rows at a time, so that there is one float[BLOCK_ROWS, |A|].

    Args:
      vectors: v, float32[n, q].
      table: u, float32[|A|, q].
      sums: Σ_a y_na u_a, float32[n, q].
      weights: w, float32[n].

    Returns:
      A float32 scalar.
    """
    return _sum_of_softplus(vectors, table, weights) - tf.reduce_sum(weights[:, None] * vectors * sums)


@tf.custom_gradient
def _sum_of_softplus(vectors, table, weights):
    """Returns Σ_n w_n Σ_a ln(1 + exp(v_n · u_a)); no gradient reaches the weights."""
    num_blocks, outer_sum = tf.maximum(-(-tf.shape(vectors)[0] // BLOCK_ROWS), 1), OuterSum()

    def block(i, total, to_vectors, to_table):
        rows = slice(i * BLOCK_ROWS, (i + 1) * BLOCK_ROWS)
        scores, own = tf.matmul(vectors[rows], table, transpose_b=True), weights[rows, None]
        total += tf.reduce_sum(own * tf.nn.softplus(scores))
        slopes = own * tf.sigmoid(scores)
        to_vectors = to_vectors.write(i, slopes @ table)
        return i + 1, total, to_vectors, outer_sum.plus(to_table, slopes, vectors[rows])

    parts = tf.TensorArray(tf.float32, num_blocks, infer_shape=False, element_shape=[None, vectors.shape[1]])
    _, total, to_vectors, to_table = tf.while_loop(
        lambda i, *_: i < num_blocks,
        block,
        (tf.constant(0), tf.constant(0.0), parts, outer_sum.zeros(*table.shape)),
        parallel_iterations=1,
    )
    to_vectors, to_table = to_vectors.concat(), outer_sum.value(to_table)
    return total, lambda upstream: (upstream * to_vectors, upstream * to_table, None)
