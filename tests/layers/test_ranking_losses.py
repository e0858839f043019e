import numpy as np
import pytest
import tensorflow as tf

from katrec.layers import ranking_losses
from tests import reference
from tests.gradients import assert_gradient


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def loop(name, target, negatives, l2=0.0):
    """The formulas for one target and a list of negatives."""
    if not len(negatives):
        return 0.0
    shares = reference.softmax(np.array(negatives))
    terms = [sigmoid(negative - target) + sigmoid(negative**2) for negative in negatives]
    if name == "top1":
        return sum(terms) / len(terms)
    if name == "top1_max":
        return sum(share * term for share, term in zip(shares, terms))
    likelihood = sum(share * sigmoid(target - negative) for share, negative in zip(shares, negatives))
    return -np.log(likelihood) + l2 * sum(share * negative**2 for share, negative in zip(shares, negatives))


LOSSES = {
    "top1": ranking_losses.top1,
    "top1_max": ranking_losses.top1_max,
    "bpr_max": lambda *scores: ranking_losses.bpr_max(*scores, 0.3),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_over_negatives_are_the_papers(generator, name):
    target, negatives = generator.normal(size=(3, 4)), generator.normal(size=(3, 4, 7)) * 2
    allowed = generator.random((3, 4, 7)) < 0.7
    allowed[0, 0] = False
    losses = LOSSES[name](*map(tf.constant, (target.astype(np.float32), negatives.astype(np.float32), allowed)))
    for place in np.ndindex(3, 4):
        expected = loop(name, target[place], negatives[place][allowed[place]], 0.3)
        assert float(losses[place]) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(generator, name):
    allowed = tf.constant([[True, True, False], [False] * 3])
    assert_gradient(lambda t, n: LOSSES[name](t, n, allowed), generator.normal(size=2), generator.normal(size=(2, 3)))


def test_a_likelihood_that_is_cut_off_has_no_gradient():
    target, negatives = tf.constant([-99.0, 0.0]), tf.constant([[9.0, 8.0], [0.0, 0.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([target, negatives])
        losses = ranking_losses.bpr_max(target, negatives, tf.constant([[True, True], [False, False]]), 0.0)
    np.testing.assert_allclose(losses, [-np.log(1e-24), 0], rtol=1e-6)
    np.testing.assert_array_equal(tape.gradient(losses, target), [0, 0])
    np.testing.assert_array_equal(tape.gradient(losses, negatives), np.zeros([2, 2]))


def gbce(target, negatives, num_samples, num_items):
    """gSASRec's loss with t = 0.75 of one target; `negatives` are those of the samples that count."""
    alpha = num_samples / (num_items - 1)
    beta = alpha * (0.75 * (1 - 1 / alpha) + 1 / alpha)
    of_negatives = sum(np.log(1 - sigmoid(negative)) for negative in negatives)
    return -(np.log(sigmoid(target) ** beta) + of_negatives) / (num_samples + 1)


def test_gbce_is_the_papers(generator):
    target, negatives = generator.normal(size=4), generator.normal(size=(4, 6)) * 2
    allowed = generator.random((4, 6)) < 0.7
    floats = (tf.constant(scores, tf.float32) for scores in (target, negatives))
    losses = ranking_losses.generalized_binary_cross_entropy(*floats, tf.constant(allowed), 6 / 49, 0.75)
    expected = [gbce(target[row], negatives[row][allowed[row]], 6, 50) for row in range(4)]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


def test_pairwise_losses_are_the_papers(generator):
    target, negative = generator.normal(size=(2, 9)).astype(np.float32) * 3
    np.testing.assert_allclose(ranking_losses.bpr(target, negative), -np.log(sigmoid(target - negative)), rtol=1e-4)
    expected = -np.log(sigmoid(target)) - np.log(1 - sigmoid(negative))
    np.testing.assert_allclose(ranking_losses.binary_cross_entropy(target, negative), expected, rtol=1e-4)
