import numpy as np
import pytest
import tensorflow as tf

from katrec.data.collaborative_graph import CollaborativeGraph, item_edges
from katrec.layers import NeighbourScores
from katrec.layers.neighbour_scores import WEIGHT_UNIT, SparseScores
from tests.gradients import assert_gradient

ITEMS = 5
# Item, relation, item; two relations join 0 and 1, none ends at 3, none begins at 4.
EDGES = [(0, 0, 1), (0, 1, 1), (0, 1, 2), (1, 0, 0), (2, 0, 4), (3, 1, 0)]
# 5 and 6 are padding and mask.
SEQUENCES = np.array([[5, 5, 0, 2], [3, 0, 1, 0], [5, 5, 5, 4], [0, 6, 1, 2]], np.int32)
CHOSEN = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1], [0, 1, 0, 1]], bool)


def layer_of(generator, gaps=2, q=3):
    starts = np.searchsorted([edge[0] for edge in EDGES], np.arange(ITEMS + 1))
    layer = NeighbourScores(starts, *(np.array(column) for column in list(zip(*EDGES))[1:]), num_gaps=gaps)
    layer.build([None, q])
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


def by_loops(layer, vectors, sequences, chosen):
    weights, gates = layer.get_weights()
    scores, n = np.zeros((len(vectors), ITEMS)), 0
    for items, predicted in zip(sequences, chosen):
        for t in np.flatnonzero(predicted):
            for gap in range(layer.num_gaps):
                for head, relation, tail in EDGES:
                    if t - gap >= 0 and items[t - gap] == head:
                        scores[n, tail] += WEIGHT_UNIT * weights[relation, gap] + vectors[n] @ gates[:, relation]
            n += 1
    return scores


def dense(sparse, rows):
    return tf.scatter_nd(sparse.places, sparse.values, [rows, ITEMS]).numpy()


@pytest.mark.parametrize("gaps", [1, 2, 9])
def test_scores_are_those_of_loops(generator, gaps):
    layer = layer_of(generator, gaps)
    vectors = generator.normal(size=(CHOSEN.sum(), 3)).astype(np.float32)
    expected = by_loops(layer, vectors, SEQUENCES, CHOSEN)
    sparse = layer(vectors, SEQUENCES, CHOSEN)
    np.testing.assert_allclose(dense(sparse, len(vectors)), expected, rtol=1e-4, atol=1e-5)
    assert (np.diff(sparse.places[:, 0]) >= 0).all()
    assert np.count_nonzero(expected)
    # Nothing is known of what was not read.
    assert dense(layer(vectors[:1], np.array([[5, 6]]), np.array([[False, True]])), 1).any() == 0


def test_gradient_numerically(generator):
    layer = layer_of(generator)
    vectors = generator.normal(size=(CHOSEN.sum(), 3)).astype(np.float32)
    factors = generator.normal(size=layer(vectors, SEQUENCES, CHOSEN).values.shape).astype(np.float32)

    def total(vectors, weights, gates):
        layer.gap_weights, layer.gates = weights, gates
        return (layer(vectors, SEQUENCES, CHOSEN).values * factors)[None]

    assert_gradient(total, vectors, *layer.get_weights())


def test_other_edges_may_be_given(generator):
    layer = layer_of(generator)
    vectors = np.ones((1, 3), np.float32)
    none = layer.edges._replace(starts=tf.zeros([ITEMS + 1], tf.int32))
    last = np.array([[False, True]])
    assert not dense(layer(vectors, np.array([[0, 0]]), last, edges=none), 1).any()
    assert isinstance(layer(vectors, np.array([[0, 0]]), last), SparseScores)


def test_arrays_that_are_no_edges_are_refused():
    for starts, tails in (([0, 1], [0, 0]), ([0, 2], [0, 1])):
        with pytest.raises(ValueError, match="no edges between items"):
            NeighbourScores(np.array(starts), np.zeros(2, int), np.array(tails))


def test_item_edges_are_those_between_two_items():
    heads, relations, tails = np.array([(0, 2, 1), (0, 4, 7), (1, 3, 0), (2, 4, 2), (2, 5, 0), (7, 5, 0)], np.int32).T
    starts, relation, tail = item_edges(CollaborativeGraph(heads, relations, tails, 8, 6), 3)
    found = {
        (int(head), int(relation[i]), int(tail[i])) for head in range(3) for i in range(starts[head], starts[head + 1])
    }
    assert found == {(0, 0, 1), (1, 1, 0), (2, 2, 0)}
