"""Embeddings of nodes that came later, against numpy's least squares and the score's own gradient."""

import numpy as np
import pytest

from katrec.data import collaborative_graph
from katrec.models.new_nodes import fitted


@pytest.fixture
def given(tiny_dataset, generator):
    graph = collaborative_graph.build(tiny_dataset)
    d, k = 5, 3
    nodes = generator.normal(size=(graph.num_nodes, d))
    projection = generator.normal(size=(graph.num_relations, d, k))
    relation = generator.normal(size=(graph.num_relations, k))
    kinds = np.searchsorted([24, tiny_dataset.num_entities], np.arange(graph.num_nodes), side="right")
    return graph, nodes, projection, relation, kinds


@pytest.mark.parametrize("prior", [0.3, 2.0])
def test_a_node_is_where_its_edges_scores_are_least(given, prior):
    graph, nodes, projection, relation, kinds = given
    is_new = np.arange(graph.num_nodes) == 6
    result = fitted(nodes, projection, relation, graph, is_new, kinds, prior)
    np.testing.assert_array_equal(result[~is_new], nodes[~is_new])
    weight = prior * np.mean([np.trace(one @ one.T) for one in projection]) / 5
    rows, values = [np.sqrt(weight) * np.eye(5)], [np.sqrt(weight) * nodes[(kinds == 0) & ~is_new].mean(axis=0)]
    for head, name, tail in zip(graph.heads, graph.relations, graph.tails):
        if head == 6:
            rows.append(projection[name].T)
            values.append(nodes[tail] @ projection[name] - relation[name])
    expected, *_ = np.linalg.lstsq(np.concatenate(rows), np.concatenate(values), rcond=None)
    np.testing.assert_allclose(result[6], expected, rtol=1e-6)


def test_nodes_that_came_together_look_at_each_other(given):
    graph, nodes, projection, relation, kinds = given
    # i0 and its sequel i4.
    is_new = np.isin(np.arange(graph.num_nodes), [0, 4])
    both = fitted(nodes, projection, relation, graph, is_new, kinds)
    spoilt = nodes.copy()
    spoilt[is_new] = 1e3
    np.testing.assert_array_equal(fitted(spoilt, projection, relation, graph, is_new, kinds)[is_new], both[is_new])
    known = nodes.copy()
    known[4] = both[4]
    alone = fitted(known, projection, relation, graph, np.arange(graph.num_nodes) == 0, kinds)
    assert np.linalg.norm(both[0] - alone[0]) < 0.2 * np.linalg.norm(both[0])


def test_a_node_without_edges_has_its_kinds_mean(given):
    graph, nodes, projection, relation, kinds = given
    without = graph._replace(
        **{name: getattr(graph, name)[graph.heads != 6] for name in ("heads", "relations", "tails")}
    )
    is_new = np.arange(graph.num_nodes) == 6
    result = fitted(nodes, projection, relation, without, is_new, kinds)
    np.testing.assert_allclose(result[6], nodes[(kinds == 0) & ~is_new].mean(axis=0))
