"""Σ_b L_bᵀ R_b over blocks b of rows, added up in the shape that the processor's library is quick at."""

from __future__ import annotations

import os

import tensorflow as tf


class OuterSum:
    """The sum of L_bᵀ R_b, float32[l, r], L_b float[n, l] and R_b float[n, r], where l is large and r is not.

    As a state of a loop: `zeros`, `plus` for each block, then `value`. With oneDNN the state is the transpose: its
    product of few rows and many columns takes half the time of the reverse in a training step, but three times Eigen's
    (docs/performance.md).
    """

    def __init__(self) -> None:
        # katrec sets it before TensorFlow is loaded, where oneDNN can be had.
        self._transposed = os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1"

    def zeros(self, left_dim: int, right_dim: int) -> tf.Tensor:
        """Returns the state before the first block."""
        return tf.zeros([right_dim, left_dim] if self._transposed else [left_dim, right_dim])

    def plus(self, state: tf.Tensor, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Returns the state after a block, float[n, l] and float[n, r]."""
        factors = (right, left) if self._transposed else (left, right)
        return state + tf.cast(tf.matmul(*factors, transpose_a=True), tf.float32)

    def value(self, state: tf.Tensor) -> tf.Tensor:
        """Returns the sum, float32[l, r]."""
        return tf.transpose(state) if self._transposed else state
