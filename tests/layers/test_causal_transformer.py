"""SASRec's layer: `TransformerLayer` with a causal mask, norms before its parts, and a ReLU; and LiGR's layer."""

import numpy as np
import pytest
import tensorflow as tf

from katrec.layers import TransformerLayer
from tests import reference
from tests.gradients import assert_gradient
from tests.layers.test_ranking_losses import sigmoid


@pytest.fixture(params=["SASRec", "LiGR"])
def layer(generator, request):
    options = {"gated": True} if request.param == "LiGR" else {"inner_factor": 1, "activation": "relu"}
    layer = TransformerLayer(2, 0.3, 0.3, pre_norm=True, causal=True, **options)
    layer(tf.zeros([1, 2, 8]), tf.ones([1, 2], tf.bool))
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


@pytest.fixture
def x(generator):
    return generator.normal(size=(2, 5, 8)).astype(np.float32)


MASK = np.array([[False, False, True, True, True], [True] * 5])


def dense(part, x):
    kernel, bias = part.get_weights()
    return x @ kernel + bias


def by_hand(layer, x, first):
    """One sequence x, T × q, whose items begin at position `first`."""
    attention = layer.attention
    query, (kernel,) = attention.query.get_weights()[0], attention.key_value.get_weights()
    normed = reference.layer_norm(x, *layer.attention_norm.get_weights())
    attended = np.zeros_like(x)
    for t in range(first, len(x)):
        heads = []
        for part in (slice(0, 4), slice(4, 8)):
            keys, values = (normed[first : t + 1] @ kernel[:, at : at + 8][:, part] for at in (0, 8))
            heads.append(reference.softmax(keys @ (normed[t] @ query[:, part]) / 2) @ values)
        attended[t] = np.concatenate(heads) @ attention.output_projection.get_weights()[0]
    x = x + (sigmoid(dense(layer.attention_gate, x)) if layer.gated else 1) * attended
    normed = reference.layer_norm(x, *layer.output_norm.get_weights())
    inner = dense(layer.inner, normed)
    if not layer.gated:
        return x + dense(layer.outer, np.maximum(inner, 0))
    swiglu = inner * sigmoid(inner) * dense(layer.inner_factors, normed)
    return x + sigmoid(dense(layer.output_gate, x)) * dense(layer.outer, swiglu)


def test_layer_is_the_papers(layer, x):
    output = layer(x, MASK).numpy()
    for row, first in enumerate((2, 0)):
        np.testing.assert_allclose(output[row, first:], by_hand(layer, x[row], first)[first:], rtol=1e-3, atol=1e-3)


def test_later_items_change_nothing(layer, x, generator):
    changed = x.copy()
    changed[:, 3:] = generator.normal(size=(2, 2, 8))
    before, after = (layer(values, MASK).numpy()[MASK] for values in (x, changed))
    later = np.broadcast_to(np.arange(5) >= 3, (2, 5))[MASK]
    np.testing.assert_allclose(after[~later], before[~later], rtol=1e-4, atol=1e-5)
    assert np.abs(after[later] - before[later]).max(axis=1).min() > 0


def test_gates_need_the_norms_before():
    with pytest.raises(ValueError, match="set pre_norm"):
        TransformerLayer(gated=True)


def test_gradient(layer, x):
    layer.set_weights([weight * 0.3 for weight in layer.get_weights()])
    assert_gradient(lambda v: layer(v, tf.ones([2, 5], tf.bool)), x)
