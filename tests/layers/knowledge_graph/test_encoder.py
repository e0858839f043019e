import numpy as np
import pytest
import tensorflow as tf

from katrec.layers import BiInteractionAggregator, KnowledgeGraphEncoder
from katrec.layers.tracing import traced
from tests import reference
from tests.gradients import assert_gradient

NODES, RELATIONS = 6, 3
# Node 5 has no edges; nodes 0 and 1 are joined by two relations; node 4 to itself.
EDGES = np.array([[0, 0, 1], [0, 1, 1], [0, 2, 3], [1, 0, 0], [2, 1, 4], [3, 0, 4], [3, 2, 0], [4, 1, 4]])


def encoder_of(generator, **options):
    """An encoder with random weights, its attention refreshed."""
    options = {"entity_dim": 5, "relation_dim": 3, "propagation_dims": (4, 3), **options}
    encoder = KnowledgeGraphEncoder(*EDGES.T, NODES, RELATIONS, **options)
    encoder(None)
    for variable in encoder.trainable_variables:
        variable.assign(generator.normal(size=variable.shape))
    encoder.refresh()
    return encoder


def expected_outputs(encoder, weights):
    """e⁽⁰⁾, e⁽¹⁾, … of all nodes by loops."""
    nodes = encoder.nodes.numpy()
    parts = [nodes]
    for aggregator in encoder.aggregators:
        nodes = reference.aggregate(nodes, reference.ego_embeddings(EDGES, weights, nodes), *aggregator.get_weights())
        parts.append(nodes)
    return parts


def test_aggregator_is_the_papers(generator):
    node, ego = generator.normal(size=(2, 6, 5)).astype(np.float32)
    layer = BiInteractionAggregator(3)
    layer((node, ego))
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    expected = reference.aggregate(node, ego, *layer.get_weights())
    np.testing.assert_allclose(layer((node, ego)), expected, rtol=1e-4, atol=1e-5)


def test_gradient_of_the_aggregator(generator):
    # Values away from the kink of the leaky ReLU, where differences mean nothing.
    node, ego = 1 + generator.random(size=(2, 6, 5)).astype(np.float32)
    layer = BiInteractionAggregator(3)
    layer((node, ego))
    layer.set_weights([generator.random(size=weight.shape) for weight in layer.get_weights()])
    assert_gradient(lambda n, e: layer((n, e)), node, ego)


@pytest.mark.parametrize("attention", ["refreshed", "differentiable", "uniform"])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("num_outputs", [None, 2])
def test_output_is_the_papers(generator, attention, normalize, num_outputs):
    encoder = encoder_of(generator, attention=attention, l2_normalize=normalize, num_outputs=num_outputs)
    transr = encoder.transr
    weights = reference.attention(
        EDGES, encoder.nodes.numpy(), transr.projection.numpy().transpose(0, 2, 1), transr.relation.numpy()
    )
    if attention == "uniform":
        weights = np.array([1 / (EDGES[:, 0] == head).sum() for head in EDGES[:, 0]])
    first, *others = expected_outputs(encoder, weights)
    if normalize:
        # A node without neighbours has an output of its own alone, whose norm is not 0.
        others = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in others]
    expected = np.concatenate([first, *others], axis=1)[:num_outputs]
    np.testing.assert_allclose(encoder(None), expected, rtol=2e-3, atol=1e-4)


def test_kept_matrices_give_the_same_until_the_refresh(generator):
    encoder = encoder_of(generator)
    before = encoder(None).numpy()

    @traced
    def with_kept_matrices():
        return encoder(None, matrices=encoder.attention_matrices())

    np.testing.assert_allclose(with_kept_matrices(), before, rtol=1e-5)
    encoder.transr.relation.assign(generator.normal(size=encoder.transr.relation.shape) * 5)
    np.testing.assert_array_equal(encoder(None), before)
    encoder.refresh()
    assert np.abs(encoder(None).numpy() - before).max() > 1e-3
    assert encoder_of(generator, attention="differentiable").attention_matrices() is None


@pytest.mark.parametrize("attention, reached", [("refreshed", False), ("differentiable", True)])
def test_gradient_reaches_the_relations_where_it_is_asked_for(generator, attention, reached):
    encoder = encoder_of(generator, attention=attention)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(None) ** 2)
    to_nodes, to_relation = tape.gradient(loss, [encoder.nodes, encoder.transr.relation])
    assert np.abs(to_nodes.numpy()).min(axis=1).max() > 1e-3
    assert (to_relation is not None) == reached


def test_message_dropout_needs_a_seed_and_follows_it(generator):
    encoder = encoder_of(generator, propagation_dims=(80,), message_dropout=0.5, l2_normalize=False)
    plain = encoder(None)[:, 5:].numpy()
    outputs = [encoder(tf.constant(seed))[:, 5:].numpy() for seed in ([1, 2], [1, 2], [1, 3])]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).any()
    kept = outputs[0] != 0
    assert 0.3 < kept.mean() < 0.7
    np.testing.assert_allclose(outputs[0][kept], 2 * plain[kept], rtol=1e-5)


@pytest.mark.parametrize(
    "values, message", [({"attention": "other"}, "must be one of"), ({"tails": EDGES[:, 2] + 2}, "outside 0 … 5")]
)
def test_wrong_arguments_are_refused(values, message):
    edges = dict(zip(("heads", "relations", "tails"), EDGES.T))
    with pytest.raises(ValueError, match=message):
        KnowledgeGraphEncoder(**{**edges, **values}, num_nodes=NODES, num_relations=RELATIONS)
