"""Dropout whose mask is a function of an explicit seed, so that a resumed run draws the same masks."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

LEVELS = 1 << 16


@tf.keras.saving.register_keras_serializable(package="katrec")
class SeededDropout(tf.keras.layers.Layer):
    """Dropout (Section 3.3.2): zeroes a share of the entries and scales the others by 1 / (1 − rate).

    An entry is decided by 16 random bits, two entries a drawn number: the rate is rounded to a multiple of 2⁻¹⁶.

    Args:
      rate: the share of entries set to zero, 0 ≤ rate < 1.

    Input:
      float[…] and `seed`, int32[2], or None at inference, when the input passes unchanged.

    Output:
      float[…].

    Raises:
      ValueError: the rate is outside [0, 1).
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"the dropout rate is {rate}, it must be in [0, 1)")
        self.rate = rate

    def call(self, x: tf.Tensor, seed: Optional[tf.Tensor] = None) -> tf.Tensor:
        dropped = round(self.rate * LEVELS)
        if seed is None or dropped == 0:
            return x
        shape = tf.shape(x)
        size = tf.reduce_prod(shape)
        bits = tf.random.stateless_uniform([(size + 1) // 2], seed, None, None, tf.int32, alg="philox")
        bits = tf.reshape(tf.reshape(tf.bitcast(bits, tf.int16), [-1])[:size], shape)
        # A product is quicker than a choice, and so is its gradient.
        return x * (tf.cast(bits >= dropped - LEVELS // 2, x.dtype) * (LEVELS / (LEVELS - dropped)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
