"""What a transformer is asked: the paper's Cloze task (Section 3.4), or the next item after each one."""

from __future__ import annotations

from typing import NamedTuple, Optional

import tensorflow as tf

from katrec.data.sequences import Tokens
from katrec.layers.seeds import fold
from katrec.settings import Settings


class Examples(NamedTuple):
    """What is read of a batch and what is predicted: the loss is Σ weights · −log P(labels) / total.

    Attributes:
      inputs: int32[B, w], what the transformer reads.
      labels: int32[B, w], the items that are predicted.
      predicted: bool[B, w], at which positions.
      weights: float32[B], the weight of each of a sequence's predictions.
      total: float32 scalar, the sum of all predictions' weights.
    """

    inputs: tf.Tensor
    labels: tf.Tensor
    predicted: tf.Tensor
    weights: tf.Tensor
    total: tf.Tensor


def predicted_positions(predicted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the positions of each sequence that are predicted, filled up to the most that one of them has.

    Args:
      predicted: bool[B, w].

    Returns:
      int32[B, n], those that are predicted first, both these and the others in their order, and bool[B, n], which of
      them are predicted.
    """
    of_ones = tf.cast(predicted, tf.int32)
    most = tf.reduce_max(tf.reduce_sum(of_ones, axis=1))
    predicted_first, positions = tf.math.top_k(of_ones, most)
    return positions, predicted_first > 0


class Objective:
    """How a transformer is asked for items, in training and at prediction.

    Args:
      settings: a subclass says what is read.
      tokens: the data set's.

    Attributes:
      causal: whether a position attends only itself and earlier ones.
      appended: how many of the T positions are not for items at prediction.
    """

    causal: bool
    appended: int

    def __init__(self, settings: Settings, tokens: Tokens) -> None:
        self._settings = settings
        self._tokens = tokens

    def examples(self, sequences: tf.Tensor, seed: Optional[tf.Tensor] = None) -> Examples:
        """Returns the `Examples` of a batch.

        Args:
          sequences: int32[B, w], right-aligned.
          seed: int32[2], of what is drawn; not needed where nothing is.
        """
        raise NotImplementedError

    def question(self, histories: tf.Tensor) -> tf.Tensor:
        """Returns the sequences whose last position predicts the item after each of the histories int32[B, w]."""
        raise NotImplementedError


class Cloze(Objective):
    """Masked items are predicted from both sides (Section 3.4); the next item stands behind a mask token at the end.

    The loss is the mean over the sequences of each one's mean over its masked positions. Of the settings mask_share and
    last_item_share are read.
    """

    causal = False
    appended = 1

    def examples(self, sequences: tf.Tensor, seed: Optional[tf.Tensor] = None) -> Examples:
        settings = self._settings
        masked = choose_masked(sequences, self._tokens.padding, settings.mask_share, settings.last_item_share, seed)
        return Examples(
            inputs=tf.where(masked, self._tokens.mask, sequences),
            labels=sequences,
            predicted=masked,
            weights=1 / tf.reduce_sum(tf.cast(masked, tf.float32), axis=1),
            total=tf.cast(tf.shape(sequences)[0], tf.float32),
        )

    def question(self, histories: tf.Tensor) -> tf.Tensor:
        masks = tf.fill([tf.shape(histories)[0], 1], self._tokens.mask)
        return tf.concat([histories, masks], axis=1)


class NextItem(Objective):
    """Beyond the paper: each position predicts the item after it, from those up to it, as in SASRec.

    The loss is the mean over all positions of the batch.
    """

    causal = True
    appended = 0

    def examples(self, sequences: tf.Tensor, seed: Optional[tf.Tensor] = None) -> Examples:
        inputs = sequences[:, :-1]
        predicted = inputs != self._tokens.padding
        return Examples(
            inputs=inputs,
            labels=sequences[:, 1:],
            predicted=predicted,
            weights=tf.ones(tf.shape(sequences)[:1]),
            total=tf.cast(tf.maximum(tf.math.count_nonzero(predicted), 1), tf.float32),
        )

    def question(self, histories: tf.Tensor) -> tf.Tensor:
        return histories


OBJECTIVES: dict[str, type[Objective]] = {"cloze": Cloze, "next_item": NextItem}


def choose_masked(
    tokens: tf.Tensor, padding: int, mask_share: float, last_item_share: float, seed: tf.Tensor
) -> tf.Tensor:
    """Chooses which positions are masked; drawn anew each time a window is seen.

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
