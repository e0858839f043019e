import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from katrec.layers import TransR
from katrec.layers.knowledge_graph.attention import ego_network_attention, relation_logits, uniform_attention
from katrec.layers.knowledge_graph.edges import EgoNetworks
from katrec.layers.tracing import traced
from tests import reference
from tests.gradients import assert_gradient, assert_repeats

NODES, RELATIONS, DIM = 6, 3, 4
# Node 5 has no edges; nodes 0 and 1 are joined by two relations; node 4 to itself.
EDGES = np.array([[0, 0, 1], [0, 1, 1], [0, 2, 3], [1, 0, 0], [2, 1, 4], [3, 0, 4], [3, 2, 0], [4, 1, 4]])


def networks(edges=EDGES, block_edges=3):
    return EgoNetworks(*edges.T, NODES, block_edges=block_edges)


def transr(generator):
    layer = TransR(RELATIONS, 3)
    layer.build([(None, DIM)])
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


def attention(graph, nodes, layer):
    return ego_network_attention(graph, nodes, layer.projection, layer.relation)


def expected_attention(edges, nodes, layer):
    projections = layer.projection.numpy().transpose(0, 2, 1)
    return reference.attention(edges, nodes, projections, layer.relation.numpy())


@pytest.mark.parametrize("block_edges", [1, 2, 3, 100])
def test_attention_is_the_papers(generator, block_edges):
    layer, nodes = transr(generator), generator.normal(size=(NODES, DIM)).astype(np.float32)
    weights = attention(networks(block_edges=block_edges), nodes, layer)
    np.testing.assert_allclose(weights, expected_attention(EDGES, nodes, layer), rtol=1e-4)


def test_uniform_attention_weighs_each_edge_equally():
    weights = uniform_attention(networks())
    np.testing.assert_allclose(weights, [1 / 3] * 3 + [1, 1] + [1 / 2] * 2 + [1], rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 5)), min_size=1), st.integers(1, 9))
def test_any_graph_in_any_order(edges, block_edges):
    generator = np.random.default_rng(len(edges))
    edges = np.array(sorted(edges))
    layer, nodes = transr(generator), generator.normal(size=(NODES, DIM)).astype(np.float32)
    graph = networks(generator.permutation(edges), block_edges)
    weights = attention(graph, nodes, layer)
    expected = expected_attention(edges, nodes, layer)
    np.testing.assert_allclose(weights, expected, rtol=1e-3, atol=1e-6)
    ego = graph.propagate(graph.matrix(weights), tf.constant(nodes))
    np.testing.assert_allclose(ego, reference.ego_embeddings(edges, expected, nodes), rtol=1e-3, atol=1e-4)


def test_gradient_of_propagation(generator):
    graph = networks()
    weights = generator.random(len(EDGES)).astype(np.float32)
    nodes = generator.normal(size=(NODES, DIM)).astype(np.float32)
    assert_gradient(lambda w, x: graph.propagate(graph.matrix(w), x), weights, nodes)


def test_gradient_of_attention(generator):
    layer, graph = transr(generator), networks()
    nodes = generator.normal(size=(NODES, DIM)).astype(np.float32) / 2
    assert_gradient(lambda x: attention(graph, x, layer), nodes)


@pytest.mark.parametrize("block_edges", [1, 3, 100])
def test_gradient_of_the_logits_to_nodes_and_relations(generator, block_edges):
    layer, edges = transr(generator), networks(block_edges=block_edges).by_relation
    nodes = generator.normal(size=(NODES, DIM)) / 2
    arrays = nodes, layer.projection.numpy() / 2, layer.relation.numpy() / 2
    assert_gradient(lambda *tensors: relation_logits(edges, *tensors), *arrays)


def test_gradients_repeat_to_the_last_digit(generator):
    heads, tails = generator.integers(2000, size=(2, 20000))
    graph = EgoNetworks(heads, generator.integers(RELATIONS, size=20000), tails, 2000)
    nodes, relations = generator.normal(size=(2000, 16)), generator.normal(size=(RELATIONS, 8))
    projections = generator.normal(size=(RELATIONS, 16, 8))
    assert_repeats(lambda *tensors: relation_logits(graph.by_relation, *tensors), nodes, projections, relations)
    weights = generator.random(20000)
    assert_repeats(lambda weights, nodes: graph.propagate(graph.matrix(weights), nodes), weights, nodes)


def test_differentiable_attention_reaches_the_relations(generator):
    layer, graph = transr(generator), networks()
    nodes = tf.constant(generator.normal(size=(NODES, DIM)), tf.float32)

    @traced
    def gradients():
        with tf.GradientTape() as tape:
            weights = attention(graph, nodes, layer)
            value = tf.reduce_sum(graph.propagate(graph.matrix(weights), nodes) ** 2)
        return tape.gradient(value, layer.trainable_variables)

    for gradient in gradients():
        assert np.abs(gradient.numpy()).max() > 1e-3


def test_a_node_outside_is_refused():
    with pytest.raises(ValueError, match="outside 0 … 5"):
        networks(np.array([[0, 0, 6]]))
