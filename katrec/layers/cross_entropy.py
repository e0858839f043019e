"""The Cloze loss's cross-entropy over all items (Section 3.4), in blocks of positions."""

from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from katrec.layers.added_scores import EdgeScores
from katrec.layers.outer_sum import OuterSum

BLOCK_ROWS = 512
SMALLEST = np.finfo(np.float32).tiny


class Negatives(NamedTuple):
    """Which items a softmax counts beside the label.

    Attributes:
      allowed: bool[B, |I|], those of each sequence.
      sequences: int[n], each row's sequence.
    """

    allowed: tf.Tensor
    sequences: tf.Tensor


def weighted_cross_entropy(
    vectors: tf.Tensor,
    items: tf.Tensor,
    bias: tf.Tensor,
    labels: tf.Tensor,
    weights: tf.Tensor,
    added: Optional[EdgeScores] = None,
    negatives: Optional[Negatives] = None,
) -> tf.Tensor:
    """Returns Σ_n w_n · −log P(i_n), P = softmax(v_n Êᵀ + b_O + s_n) over the label i_n and its negatives.

    The logits of a block of positions are made, turned into probabilities p and used for the gradients at once:

        ∂v_n = w_n (p_n Ê − Ê[i_n]),   ∂Ê = Σ_n w_n (p_n − 1[i_n])ᵀ v_n,   ∂b_O = Σ_n w_n (p_n − 1[i_n]),
        ∂s_n = w_n (p_n − 1[i_n])

    so that there is one float[BLOCK_ROWS, |I|] instead of three float[n, |I|]. Logits have the type of `vectors`:
    16-bit ones are rounded before the softmax, whose exponentials and sums are float32. −log P is reported as at most
    87, the end of float32.

    Args:
      vectors: v, float[n, q].
      items: Ê, float[|I|, q], of the same type.
      bias: b_O, float32[|I|].
      labels: i_n, int32[n].
      weights: w_n, float32[n].
      added: s, by edges; none where it is None.
      negatives: which items are; all where it is None.

    Returns:
      A float32 scalar.
    """

    @tf.custom_gradient
    def loss(vectors, items, bias, values):
        dtype, num_items, outer_sum = vectors.dtype, tf.shape(items)[0], OuterSum()
        row_bounds, edge_bounds = _bounds(tf.shape(vectors)[0], added)
        num_blocks = tf.shape(row_bounds)[0] - 1
        weighted = vectors * tf.cast(weights, dtype)[:, None]

        def block(i, total, to_vectors, to_items, to_bias, to_values):
            rows = slice(row_bounds[i], row_bounds[i + 1])
            logits = tf.matmul(vectors[rows], items, transpose_b=True) + tf.cast(bias, dtype)
            if added:
                own = slice(edge_bounds[i], edge_bounds[i + 1])
                readings, tails = added.readings[own], added.tails[own][:, None]
                # Places in the flat logits.
                places = tf.gather((added.rows - rows.start) * num_items, readings) + tails
                # The same sums as `scatter_nd`'s, which adds on one thread.
                flat = tf.reshape(values[own], [-1]), tf.reshape(places, [-1])
                sums = tf.math.unsorted_segment_sum(*flat, tf.size(logits))
                # TensorFlow has no GPU kernel that adds to 16-bit places.
                logits += tf.cast(tf.reshape(sums, tf.shape(logits)), dtype)
            if negatives:
                counts = tf.gather(negatives.allowed, negatives.sequences[rows])
                counts |= tf.range(num_items) == labels[rows][:, None]
                logits = tf.where(counts, logits, dtype.min)
            probabilities = tf.nn.softmax(logits)
            target = tf.cast(tf.gather(probabilities, labels[rows], batch_dims=1), tf.float32)
            total -= tf.reduce_sum(weights[rows] * tf.math.log(tf.maximum(target, SMALLEST)))
            to_vectors = to_vectors.write(i, probabilities @ items)
            to_items = outer_sum.plus(to_items, probabilities, weighted[rows])
            to_bias += tf.cast(tf.cast(weights[rows], dtype)[None] @ probabilities, tf.float32)[0]
            if added:
                shares = tf.cast(tf.gather(tf.reshape(probabilities, [-1]), places), tf.float32)
                is_label = tf.gather(tf.gather(labels, added.rows), readings) == tails
                shares -= tf.cast(is_label, tf.float32)
                to_values = to_values.write(i, shares * tf.gather(tf.gather(weights, added.rows), readings))
            return i + 1, total, to_vectors, to_items, to_bias, to_values

        parts = tf.TensorArray(dtype, num_blocks, infer_shape=False, element_shape=[None, vectors.shape[1]])
        zeros = outer_sum.zeros(*items.shape), tf.zeros(bias.shape)
        of_values = tf.TensorArray(tf.float32, num_blocks, infer_shape=False, element_shape=[None, values.shape[1]])
        _, total, to_vectors, to_items, to_bias, to_values = tf.while_loop(
            lambda i, *_: i < num_blocks,
            block,
            (tf.constant(0), tf.constant(0.0), parts, *zeros, of_values),
            parallel_iterations=1,
        )
        to_vectors = (to_vectors.concat() - tf.gather(items, labels)) * tf.cast(weights, dtype)[:, None]
        to_items = outer_sum.value(to_items)
        to_items = tf.tensor_scatter_nd_sub(to_items, labels[:, None], tf.cast(weighted, tf.float32))
        to_bias = tf.tensor_scatter_nd_sub(to_bias, labels[:, None], weights)

        def gradient(upstream):
            return (
                tf.cast(upstream, dtype) * to_vectors,
                tf.cast(upstream * to_items, dtype),
                upstream * to_bias,
                upstream * to_values.concat() if added else None,
            )

        return total, gradient

    return loss(vectors, items, tf.convert_to_tensor(bias), added.values if added else tf.zeros([0, 1]))


def _bounds(num_rows, added):
    """Returns where the blocks of rows begin and end, and those of their edges: a sequence is in one block."""
    starts = tf.range(tf.maximum(-(-num_rows // BLOCK_ROWS), 1)) * BLOCK_ROWS
    if added is None:
        return tf.concat([starts, [num_rows]], axis=0), None
    last = tf.shape(added.first_rows) - 1
    sequences = tf.concat([tf.searchsorted(added.first_rows, starts), last], axis=0)
    return tf.gather(added.first_rows, sequences), tf.gather(added.first_edges, sequences)


def weighted_log_sum_exp(vectors: tf.Tensor, items: tf.Tensor, bias: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Returns Σ_n w_n · ln Σ_i exp(v_n Êᵀ + b_O)_i, in blocks as `weighted_cross_entropy`; arguments as there.

    It is −ln P of any item, here the first, and its logit.
    """
    labels = tf.zeros(tf.shape(vectors)[:1], tf.int32)
    logits = tf.cast(tf.matmul(vectors, items[:1], transpose_b=True)[:, 0], tf.float32) + tf.convert_to_tensor(bias)[0]
    return weighted_cross_entropy(vectors, items, bias, labels, weights) + tf.reduce_sum(weights * logits)
