import numpy as np
import pytest
import tensorflow as tf

from katrec.layers import PositionalEmbedding, SeededDropout, TransformerLayer
from katrec.layers.transformer import last_position
from tests import reference
from tests.gradients import assert_gradient


def built(generator, heads=2, q=8):
    layer = TransformerLayer(heads, 0.3, 0.3)
    layer(tf.zeros([1, 2, q]), tf.ones([1, 2], tf.bool))
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    weights = {
        "query_key_value": np.concatenate(
            [*layer.attention.query.get_weights(), *layer.attention.key_value.get_weights()], axis=1
        ),
        "output": layer.attention.output_projection.get_weights()[0],
        "inner": layer.inner.get_weights(),
        "outer": layer.outer.get_weights(),
        "attention_norm": layer.attention_norm.get_weights(),
        "output_norm": layer.output_norm.get_weights(),
    }
    return layer, weights


def test_layer_and_attention_are_the_papers(generator):
    layer, weights = built(generator)
    x = generator.normal(size=(2, 5, 8)).astype(np.float32)
    mask = np.array([[False, False, True, True, True], [True] * 5])
    output, attention = layer(x, mask, return_attention=True)
    assert attention.shape == (2, 2, 5, 5)
    for row in range(2):
        expected, expected_attention = reference.transformer_layer(x[row], mask[row], weights, 2)
        np.testing.assert_allclose(output[row].numpy()[mask[row]], expected[mask[row]], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(attention[row], expected_attention, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(attention[0, :, :, :2], 0)


def test_gradient(generator):
    layer, _ = built(generator)
    layer.set_weights([weight * 0.3 for weight in layer.get_weights()])
    x = generator.normal(size=(2, 4, 8)).astype(np.float32)
    assert_gradient(lambda v: layer(v, tf.ones([2, 4], tf.bool)), x)


def test_padding_changes_nothing(generator):
    layer, _ = built(generator)
    x = generator.normal(size=(1, 4, 8)).astype(np.float32)
    longer = np.concatenate([generator.normal(size=(1, 3, 8)), x], axis=1).astype(np.float32)
    mask = np.array([[False] * 3 + [True] * 4])
    np.testing.assert_allclose(layer(longer, mask)[:, 3:], layer(x, mask[:, 3:]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"pre_norm": True}, {"pre_norm": True, "gated": True, "frequency_share": 0.4}])
@pytest.mark.parametrize("causal", [False, True])
def test_wanted_positions_are_the_same_as_among_all(generator, options, causal):
    layer = TransformerLayer(2, causal=causal, **options)
    x = generator.normal(size=(2, 5, 8)).astype(np.float32)
    mask = np.array([[False, False, True, True, True], [True] * 5])
    layer(x, mask)
    layer.set_weights([generator.normal(size=weight.shape) / 2 for weight in layer.get_weights()])
    output, attention = (one.numpy() for one in layer(x, mask, return_attention=True))
    for positions in ([[4], [4]], [[3, 2], [0, 4]]):
        chosen, chosen_attention = layer(x, mask, return_attention=True, positions=tf.constant(positions))
        for row, places in enumerate(positions):
            np.testing.assert_allclose(chosen[row], output[row, places], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(chosen_attention[row], attention[row][:, places], rtol=1e-4, atol=1e-6)


def test_gradient_of_wanted_positions(generator):
    layer, _ = built(generator)
    layer.set_weights([weight * 0.3 for weight in layer.get_weights()])
    x = generator.normal(size=(2, 4, 8)).astype(np.float32)
    assert_gradient(lambda v: layer(v, tf.ones([2, 4], tf.bool), positions=tf.constant([[3, 1], [0, 2]])), x)


def test_the_last_position():
    np.testing.assert_array_equal(last_position(tf.zeros([2, 5, 8])), [[4], [4]])


def test_heads_must_divide_the_hidden_size():
    with pytest.raises(ValueError, match="3 heads do not divide the hidden size 8"):
        TransformerLayer(3)(tf.zeros([1, 2, 8]), tf.ones([1, 2], tf.bool))


def test_positions_count_from_the_end(generator):
    layer = PositionalEmbedding(6)
    x = generator.normal(size=(2, 4, 8)).astype(np.float32)
    np.testing.assert_allclose(layer(x), x + layer.table.numpy()[2:], rtol=1e-5)


def test_sinusoids():
    layer = PositionalEmbedding(3, "sinusoidal")
    expected = [[f(p / 10000 ** (2 * (i // 2) / 4)) for i, f in enumerate([np.sin, np.cos] * 2)] for p in range(3)]
    np.testing.assert_allclose(layer(tf.zeros([1, 3, 4]))[0], expected, rtol=1e-5, atol=1e-7)
    assert layer.trainable_weights == []
    with pytest.raises(ValueError, match="must be one of"):
        PositionalEmbedding(3, "other")


def test_no_positions():
    x = tf.ones([1, 3, 4])
    layer = PositionalEmbedding(3, "none")
    np.testing.assert_array_equal(layer(x), x)
    assert layer.trainable_weights == []


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    x = tf.ones([301, 333])
    outputs = [SeededDropout(rate)(x, seed=tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3])]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    # Six standard errors of a share of 100,233 entries.
    assert (outputs[0] == 0).mean() == pytest.approx(rate, abs=6 * (rate * (1 - rate) / x.numpy().size) ** 0.5)
    np.testing.assert_allclose(outputs[0][outputs[0] != 0], 1 / (1 - rate), rtol=2e-4)
    # Neighbours share a drawn number, other seeds none: no two of them may agree more often than chance has it.
    kept = rate**2 + (1 - rate) ** 2
    pairs = (outputs[0].ravel()[:-1:2] == 0) == (outputs[0].ravel()[1::2] == 0)
    for agreement in (pairs, (outputs[0] == 0) == (outputs[2] == 0)):
        assert agreement.mean() == pytest.approx(kept, abs=6 * (kept * (1 - kept) / agreement.size) ** 0.5)
    np.testing.assert_array_equal(SeededDropout(rate)(x), x)


def test_dropout_refuses_a_rate_of_one():
    with pytest.raises(ValueError, match="must be in"):
        SeededDropout(1.0)


def test_initial_values():
    """The paper's are within ±0.02; Glorot's have variance 2 / (rows + columns)."""
    for name in ("truncated_normal", "glorot_normal"):
        layer = TransformerLayer(2, kernel_initializer=name)
        layer(tf.zeros([1, 2, 64]), tf.ones([1, 2], tf.bool))
        kernels = [one.numpy() for one in layer.trainable_variables if one.shape.rank == 2]
        assert len(kernels) == 5
        for kernel in kernels:
            if name == "truncated_normal":
                assert np.abs(kernel).max() <= 0.02
            else:
                assert kernel.std() == pytest.approx(np.sqrt(2 / sum(kernel.shape)), rel=0.1)
