"""What is left of a history at its lowest frequency, and the rest. Beyond the paper."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="katrec")
class FrequencyRescaler(tf.keras.layers.Layer):
    """A position's mean over the history, and its deviation from it, rescaled.

    After BSARec's (Shin et al. 2024, arXiv 2312.10325), which takes several frequencies of a window of a fixed length.
    Here it is the lowest one, over the positions that may be attended, so that a causal layer sees nothing later:

        m_t = mean of x_s over the s that t may attend,   output_t = m_t + β² ⊙ (x_t − m_t)

    Input:
      the positions that are `wanted`, float[B, n, q]; x, float[B, T, q]; `allowed`, bool[B, n or 1, T], which positions
      each of them attends.

    Output:
      float[B, n, q].
    """

    def build(self, input_shape: Any) -> None:
        # Of both sorts: features that the mean serves, and features that the last item does.
        self.beta = self.add_weight(
            name="beta", shape=(input_shape[-1],), initializer=tf.keras.initializers.RandomNormal(stddev=1.0)
        )
        super().build(input_shape)

    def call(self, wanted: tf.Tensor, x: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
        # Counted in float32: 16-bit numbers end at 256 with their ones.
        counted = tf.cast(allowed, tf.float32)
        shares = counted / tf.maximum(tf.reduce_sum(counted, axis=-1, keepdims=True), 1)
        mean = tf.matmul(tf.cast(shares, x.dtype), x)
        return mean + tf.square(self.beta) * (wanted - mean)
