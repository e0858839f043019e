"""Dropout whose mask is a function of an explicit seed, so that a resumed run draws the same masks."""

import tensorflow as tf


class SeededDropout(tf.keras.layers.Layer):
    """Dropout (Section 3.3.2): zeroes a share of the entries and scales the others by 1 / (1 − rate).

    Args:
      rate: the share of entries set to zero, 0 ≤ rate < 1.

    Input: float[…] and `seed`, int32[2], or None at inference, when the input passes unchanged.
    Output: float[…].

    Raises:
      ValueError: the rate is outside [0, 1).
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"the dropout rate is {rate}, it must be in [0, 1)")
        self.rate = rate

    def call(self, x, seed=None):
        if seed is None or self.rate == 0:
            return x
        return tf.nn.experimental.stateless_dropout(x, self.rate, seed, rng_alg="philox")

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


def fold(seed, number):
    """Returns a seed of its own for part `number` of a computation, or None where `seed` is None (inference)."""
    return None if seed is None else tf.random.experimental.stateless_fold_in(seed, number)
