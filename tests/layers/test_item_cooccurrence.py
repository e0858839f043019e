import numpy as np
import pytest
import tensorflow as tf

from katrec.layers import ItemCooccurrence, NextItemHead
from tests import reference
from tests.gradients import assert_gradient


@pytest.mark.parametrize("activation, function", [("gelu", reference.gelu), ("leaky_relu", reference.leaky_relu)])
def test_fusion_is_the_papers(generator, activation, function):
    sequential, graph = generator.normal(size=(2, 6, 5)).astype(np.float32)
    layer = ItemCooccurrence(activation)
    layer((sequential, graph))
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    kernel, bias = layer.get_weights()
    expected = function(np.concatenate([sequential, graph], axis=1) @ kernel + bias)
    np.testing.assert_allclose(layer((sequential, graph)), expected, rtol=1e-3, atol=1e-4)


def test_one_table_for_both(generator):
    table = generator.normal(size=(6, 5)).astype(np.float32)
    layer = ItemCooccurrence()
    layer(table)
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    kernel, bias = layer.get_weights()
    assert kernel.shape == (10, 5)
    expected = reference.gelu(np.concatenate([table, table], axis=1) @ kernel + bias)
    np.testing.assert_allclose(layer(table), expected, rtol=1e-3, atol=1e-4)
    assert_gradient(layer, table)


def test_gradient_of_the_fusion(generator):
    layer = ItemCooccurrence()
    arrays = generator.normal(size=(2, 6, 5)).astype(np.float32)
    layer(tuple(arrays))
    layer.set_weights([generator.normal(size=weight.shape) / 2 for weight in layer.get_weights()])
    assert_gradient(lambda v, e: layer((v, e)), *arrays)


@pytest.mark.parametrize("layer_norm", [True, False])
def test_head_is_the_papers(generator, layer_norm):
    hidden, items = generator.normal(size=(4, 7)).astype(np.float32), generator.normal(size=(6, 5)).astype(np.float32)
    head = NextItemHead(6, 5, layer_norm)
    head(hidden)
    for weight in head.weights:
        weight.assign(generator.normal(size=weight.shape))
    vectors = reference.gelu(hidden @ head.transform.kernel.numpy() + head.transform.bias.numpy())
    if layer_norm:
        vectors = reference.layer_norm(vectors, head.norm.gamma.numpy(), head.norm.beta.numpy())
    expected = vectors @ items.T + head.bias.numpy()
    np.testing.assert_allclose(head.logits(head(hidden), items), expected, rtol=1e-3, atol=1e-3)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="gelu"):
        ItemCooccurrence("relu")


def test_initial_values_lie_in_the_papers_interval():
    layer = ItemCooccurrence()
    layer((tf.zeros([2, 64]), tf.zeros([2, 64])))
    kernel = layer.kernel.numpy()
    assert 0.015 < np.abs(kernel).max() <= 0.02
    assert abs(kernel.mean()) < 1e-3
