import numpy as np
import pytest
import tensorflow as tf

from katrec.layers import BiInteractionAggregator, KnowledgeGraphEncoder
from tests import reference
from tests.gradients import assert_gradient


def randomized(layer, generator):
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


def test_aggregator_is_the_papers(generator):
    node, ego = generator.normal(size=(2, 6, 5)).astype(np.float32)
    layer = BiInteractionAggregator(3)
    layer((node, ego))
    randomized(layer, generator)
    expected = reference.aggregate(node, ego, *layer.get_weights())
    np.testing.assert_allclose(layer((node, ego)), expected, rtol=1e-4, atol=1e-5)


def test_gradient_of_the_aggregator(generator):
    # Values away from the kink of the leaky ReLU, where differences mean nothing.
    node, ego = 1 + generator.random(size=(2, 6, 5)).astype(np.float32)
    layer = BiInteractionAggregator(3)
    layer((node, ego))
    layer.set_weights([generator.random(size=weight.shape) for weight in layer.get_weights()])
    assert_gradient(lambda n, e: layer((n, e)), node, ego)


@pytest.mark.parametrize("normalize", [True, False])
def test_encoder_stacks_and_concatenates(generator, normalize):
    nodes = generator.normal(size=(6, 5)).astype(np.float32)
    mixing = generator.random(size=(6, 6)).astype(np.float32)
    encoder = KnowledgeGraphEncoder((4, 3), 0.5, normalize)
    encoder(nodes, lambda _, x: mixing @ x)
    randomized(encoder, generator)
    w = encoder.get_weights()
    first = reference.aggregate(nodes, mixing @ nodes, w[0], w[1])
    second = reference.aggregate(first, mixing @ first, w[2], w[3])
    if normalize:
        parts = [nodes] + [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second)]
    else:
        parts = [nodes, first, second]
    output = encoder(nodes, lambda _, x: mixing @ x)
    assert output.shape == (6, 5 + 4 + 3)
    np.testing.assert_allclose(output, np.concatenate(parts, axis=1), rtol=1e-3, atol=1e-4)


def test_message_dropout_needs_a_seed_and_follows_it(generator):
    nodes = generator.normal(size=(50, 5)).astype(np.float32)
    encoder = KnowledgeGraphEncoder((8,), 0.5, l2_normalize=False)
    plain = encoder(nodes, lambda _, x: x)[:, 5:]
    outputs = [
        encoder(nodes, lambda _, x: x, seed=tf.constant(seed))[:, 5:].numpy() for seed in ([1, 2], [1, 2], [1, 3])
    ]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).any()
    kept = outputs[0] != 0
    assert 0.3 < kept.mean() < 0.7
    np.testing.assert_allclose(outputs[0][kept], 2 * plain.numpy()[kept], rtol=1e-5)


def test_config_makes_the_same_layer():
    config = KnowledgeGraphEncoder((4, 3), 0.5, False).get_config()
    assert KnowledgeGraphEncoder.from_config(config).get_config() == config
