import numpy as np
import pytest
import tensorflow as tf

from katrec.layers.elementwise import LayerNorm, gelu
from tests import reference
from tests.gradients import assert_gradient


def test_gelu_is_the_exact_one(generator):
    x = np.concatenate([generator.normal(size=200), [-30, -5, 0, 5, 30]]).astype(np.float32)
    np.testing.assert_allclose(gelu(x), reference.gelu(x), rtol=1e-4, atol=1e-6)


def test_gradient_of_gelu(generator):
    assert_gradient(gelu, generator.normal(size=50) * 2)


def built(generator, dtype="float32"):
    layer = LayerNorm(dtype=dtype)
    layer.build((None, 6))
    layer.set_weights(generator.normal(size=(2, 6)))
    return layer


@pytest.mark.parametrize("shape", [(5, 6), (2, 5, 6)])
def test_layer_norm_is_the_formula(generator, shape):
    layer, x = built(generator), generator.normal(3, 2, size=shape).astype(np.float32)
    np.testing.assert_allclose(layer(x), reference.layer_norm(x, *layer.get_weights()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 6), (2, 5, 6)])
def test_gradient_of_layer_norm(generator, shape):
    layer, x = built(generator), generator.normal(size=shape)
    assert_gradient(layer, x)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(layer(tf.constant(x, tf.float32)) * 2)
    to_gamma, to_beta = tape.gradient(value, layer.trainable_variables)
    standard = reference.layer_norm(x, 1, 0)
    np.testing.assert_allclose(to_gamma, 2 * standard.reshape(-1, 6).sum(axis=0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(to_beta, np.full(6, 2 * x.size / 6), rtol=1e-5)


def test_layer_norm_of_bfloat16_has_float32_statistics(generator):
    layer = built(generator, "mixed_bfloat16")
    x = tf.cast(1000 + tf.constant(generator.normal(size=(5, 6)) * 8, tf.float32), tf.bfloat16)
    output = layer(x)
    assert output.dtype == tf.bfloat16
    expected = reference.layer_norm(tf.cast(x, tf.float64).numpy(), *layer.get_weights())
    np.testing.assert_allclose(tf.cast(output, tf.float64), expected, rtol=0.01, atol=0.02)
