"""The Cloze task's masks (Section 3.4), drawn anew each time a window is seen."""

from __future__ import annotations

import tensorflow as tf

from katrec.layers.seeds import fold


def choose_masked(
    tokens: tf.Tensor, padding: int, mask_share: float, last_item_share: float, seed: tf.Tensor
) -> tf.Tensor:
    """Chooses which positions are masked.

    In a sequence of n items max(1, round(ϱn)) positions, uniform without replacement; in a share of the sequences
    the last position alone, which is what prediction looks like.

    Args:
      tokens: int32[B, w], right-aligned.
      padding: the padding token.
      mask_share: ϱ.
      last_item_share: the share of sequences in which only the last item is masked.
      seed: int32[2].

    Returns:
      bool[B, w].
    """
    shape = tf.shape(tokens)
    real = tokens != padding
    lengths = tf.reduce_sum(tf.cast(real, tf.float32), axis=1)
    count = tf.maximum(tf.cast(tf.round(mask_share * lengths), tf.int32), 1)
    noise = tf.random.stateless_uniform(shape, fold(seed, 0), alg="philox")
    noise = tf.where(real, noise, 2.0)
    threshold = tf.gather(tf.sort(noise, axis=1), count - 1, batch_dims=1)
    chosen = noise <= threshold[:, None]
    last_only = tf.random.stateless_uniform(shape[:1], fold(seed, 1), alg="philox") < last_item_share
    last = tf.range(shape[1]) == shape[1] - 1
    return tf.where(last_only[:, None], last, chosen)
