import numpy as np
import pytest
import tensorflow as tf

from katrec.layers import FrequencyRescaler, TransformerLayer
from tests.gradients import assert_gradient

MASK = np.array([[False, True, True, True], [True] * 4])
CAUSAL = MASK[:, None] & np.tril(np.ones([4, 4], bool))


@pytest.fixture
def x(generator):
    return generator.normal(size=(2, 4, 6)).astype(np.float32)


@pytest.fixture
def rescaler(generator):
    layer = FrequencyRescaler()
    layer.build([None, 4, 6])
    layer.beta.assign(generator.normal(size=6))
    return layer


def by_loops(rescaler, x, allowed):
    output = np.zeros_like(x)
    for row, t in np.ndindex(x.shape[:2]):
        attended = [x[row, s] for s in range(x.shape[1]) if allowed[row, t if allowed.shape[1] > 1 else 0, s]]
        mean = np.mean(attended, axis=0) if attended else 0
        output[row, t] = mean + rescaler.beta.numpy() ** 2 * (x[row, t] - mean)
    return output


@pytest.mark.parametrize("allowed", [CAUSAL, MASK[:, None]], ids=["causal", "both sides"])
def test_output_is_that_of_loops(rescaler, x, allowed):
    np.testing.assert_allclose(rescaler(x, x, allowed), by_loops(rescaler, x, allowed), rtol=1e-5, atol=1e-6)
    last = rescaler(x[:, -1:], x, allowed[:, -1:])
    np.testing.assert_allclose(last, by_loops(rescaler, x, allowed)[:, -1:], rtol=1e-5, atol=1e-6)


def test_gradient_numerically(rescaler, x):
    def function(x, beta):
        rescaler.beta = beta
        return rescaler(x, x, CAUSAL)

    assert_gradient(function, x, rescaler.beta.numpy())


def test_a_long_history_has_its_mean_in_16_bits():
    layer = FrequencyRescaler(dtype=tf.keras.mixed_precision.Policy("mixed_bfloat16"))
    x = tf.ones([1, 700, 2], tf.bfloat16)
    output = layer(x, x, tf.ones([1, 1, 700], tf.bool))
    np.testing.assert_allclose(tf.cast(output, tf.float32), 1, rtol=0.02)


def test_it_is_mixed_into_the_attention_by_its_share(generator, x):
    """With a share of 1 and a second part of zeros the layer is x and what the rescaler makes of its norm."""
    layer = TransformerLayer(2, pre_norm=True, causal=True, frequency_share=1.0)
    layer(x, MASK)
    layer.rescaler.beta.assign(generator.normal(size=6))
    layer.outer.set_weights([np.zeros(shape) for shape in ((24, 6), 6)])
    normed = layer.attention_norm(x).numpy()
    expected = x + by_loops(layer.rescaler, normed, CAUSAL)
    np.testing.assert_allclose(layer(x, MASK).numpy()[MASK], expected[MASK], rtol=1e-4, atol=1e-5)
    # A fifth of the attention is what the other four fifths lack.
    layer.frequency_share = 0.2
    allowed = tf.constant(CAUSAL)
    attended = layer.attention(normed, normed, allowed)[0].numpy()
    expected = x + 0.8 * attended + 0.2 * by_loops(layer.rescaler, normed, CAUSAL)
    np.testing.assert_allclose(layer(x, MASK).numpy()[MASK], expected[MASK], rtol=1e-4, atol=1e-5)
