"""Initial values (Section 4.2.3), and others for the transformer's matrices."""

from __future__ import annotations

import tensorflow as tf

INITIALIZER_RANGE = 0.02


def embedding_initializer() -> tf.keras.initializers.Initializer:
    """Returns the paper's initialiser: a truncated normal distribution in the interval [−0.02, 0.02].

    Keras truncates at two standard deviations, so the deviation is half the interval's bound.
    """
    return tf.keras.initializers.TruncatedNormal(stddev=INITIALIZER_RANGE / 2)


# Of the matrices in the transformer's layers. Glorot's normal has variance 2 / (rows + columns).
KERNEL_INITIALIZERS = {
    "truncated_normal": embedding_initializer,
    "glorot_normal": tf.keras.initializers.GlorotNormal,
}
