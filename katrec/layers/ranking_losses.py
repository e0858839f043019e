"""Losses of the baselines on the scores of targets and of sampled negatives, one value a target."""

from __future__ import annotations

import tensorflow as tf

EXCLUDED_LOGIT = -1e9
SMALLEST = 1e-24


def bpr(target: tf.Tensor, negative: tf.Tensor) -> tf.Tensor:
    """Bayesian personalized ranking (Rendle et al. 2012, Section 4.1): −ln σ(r_i − r_j).

    Args:
      target: r_i, float[…].
      negative: r_j, float[…].

    Returns:
      float[…].
    """
    return tf.nn.softplus(negative - target)


def binary_cross_entropy(target: tf.Tensor, negative: tf.Tensor) -> tf.Tensor:
    """SASRec's loss (Kang and McAuley 2018, Eq. 7): −[ln σ(r_i) + ln(1 − σ(r_j))].

    Arguments and result as in `bpr`.
    """
    return tf.nn.softplus(-target) + tf.nn.softplus(negative)


def generalized_binary_cross_entropy(
    target: tf.Tensor, negatives: tf.Tensor, allowed: tf.Tensor, sampled_share: float, calibration: float
) -> tf.Tensor:
    """gBCE (Petrov and Macdonald 2023): binary cross-entropy for many negatives, whose target's part weighs less.

        −[β ln σ(r_i) + Σ_j ln(1 − σ(r_j))] / (n + 1),   β = α (t (1 − 1/α) + 1/α)

    With t = 1 the sampled scores have the meaning that scores trained on all items have; t = 0 is the plain loss.

    Args:
      target: r_i, float[…].
      negatives: r_j, float[…, n].
      allowed: bool[…, n], which negatives count.
      sampled_share: α, n as a share of all items but the target.
      calibration: t, from 0 to 1.

    Returns:
      float[…].
    """
    beta = sampled_share * (calibration * (1 - 1 / sampled_share) + 1 / sampled_share)
    of_negatives = tf.reduce_sum(tf.where(allowed, tf.nn.softplus(negatives), 0.0), axis=-1)
    return (beta * tf.nn.softplus(-target) + of_negatives) / (negatives.shape[-1] + 1)


def top1(target: tf.Tensor, negatives: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
    """TOP1 (Hidasi et al. 2015, Section 3.1.3): the mean over the negatives of σ(r_j − r_i) + σ(r_j²).

    Args:
      target: r_i, float[…].
      negatives: r_j, float[…, n].
      allowed: bool[…, n], which negatives count; 0 where none does.

    Returns:
      float[…].
    """
    count = tf.maximum(tf.reduce_sum(tf.cast(allowed, tf.float32), axis=-1), 1)
    terms = tf.sigmoid(negatives - target[..., None]) + tf.sigmoid(negatives**2)
    return tf.reduce_sum(tf.where(allowed, terms, 0.0), axis=-1) / count


def top1_max(target: tf.Tensor, negatives: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
    """TOP1-max (Hidasi and Karatzoglou 2018, ranking-max losses).

        Σ_j s_j (σ(r_j − r_i) + σ(r_j²)),   s = softmax of the r_j

    Arguments and result as in `top1`.
    """
    terms = tf.sigmoid(negatives - target[..., None]) + tf.sigmoid(negatives**2)
    return tf.reduce_sum(_shares(negatives, allowed) * terms, axis=-1)


def bpr_max(target: tf.Tensor, negatives: tf.Tensor, allowed: tf.Tensor, l2: float) -> tf.Tensor:
    """BPR-max with score regularization (Hidasi and Karatzoglou 2018, ranking-max losses).

        −ln A + λ B,   A = Σ_j s_j p_j,   B = Σ_j s_j r_j²,   p_j = σ(r_i − r_j),   s = softmax of the r_j

    with the gradients, in fewer passes over the negatives than TensorFlow makes,

        ∂r_j = s_j ((A − p_j²) / A + λ (r_j² + 2 r_j − B)),   ∂r_i = (Σ_j s_j p_j² − A) / A

    Args:
      target: r_i, float[…].
      negatives: r_j, float[…, n].
      allowed: bool[…, n], which negatives count.
      l2: λ.

    Returns:
      float[…]; 0 where no negative counts.
    """

    @tf.custom_gradient
    def loss(target, negatives):
        shares = _shares(negatives, allowed)
        likelihoods = tf.sigmoid(target[..., None] - negatives)
        likelihood, square = (tf.reduce_sum(shares * one, axis=-1) for one in (likelihoods, negatives**2))
        any_allowed = tf.reduce_any(allowed, axis=-1)
        ranking = -tf.math.log(tf.where(any_allowed, tf.maximum(likelihood, SMALLEST), 1.0))

        def gradient(upstream):
            # Where the logarithm is cut off, nothing moves it.
            scale = tf.where(likelihood > SMALLEST, upstream / likelihood, 0.0)
            squares = likelihoods**2
            to_target = scale * (tf.reduce_sum(shares * squares, axis=-1) - likelihood)
            regularizing = (l2 * upstream)[..., None]
            constant = scale * likelihood - l2 * upstream * square
            inner = negatives * (regularizing * negatives + 2 * regularizing) - scale[..., None] * squares
            return to_target, shares * (inner + constant[..., None])

        return ranking + l2 * square, gradient

    return loss(target, negatives)


def _shares(negatives, allowed):
    """Returns the softmax over the negatives that count, 0 for the others and where none counts."""
    return tf.where(allowed, tf.nn.softmax(tf.where(allowed, negatives, EXCLUDED_LOGIT)), 0.0)
