import numpy as np
import pytest
import tensorflow as tf

from katrec.data import item_edges
from katrec.data.collaborative_graph import CollaborativeGraph
from katrec.layers import NeighbourScores
from katrec.layers.neighbour_scores import WEIGHT_UNIT
from tests.gradients import assert_gradient

ITEMS = 5
# Item, relation, item, count; two relations join 0 and 1, none ends at 3, none begins at 4. As transitions, relation 1
# is "followed by" and relation 2 its inverse.
EDGES = [(0, 0, 1, 1), (0, 1, 1, 3), (0, 1, 2, 1), (1, 0, 0, 1), (2, 0, 4, 1), (2, 2, 0, 1), (3, 1, 0, 2)]
# 5 and 6 are padding and mask.
SEQUENCES = np.array([[5, 5, 0, 2], [3, 0, 1, 0], [5, 5, 5, 4], [0, 6, 1, 2]], np.int32)
CHOSEN = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1], [0, 1, 0, 1]], bool)


def layer_of(generator, gaps=2, q=3, reach=0):
    heads, *columns = map(np.array, zip(*EDGES))
    starts = np.searchsorted(heads, np.arange(ITEMS + 1))
    layer = NeighbourScores(starts, *columns, num_gaps=gaps, transition_reach=reach)
    layer.build([None, q])
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


def by_loops(layer, vectors, sequences, chosen, windows=None):
    weights, gates = layer.get_weights()
    scores, n = np.zeros((len(vectors), ITEMS)), 0
    for row, (items, predicted) in enumerate(zip(sequences, chosen)):
        for t in np.flatnonzero(predicted):
            for gap in range(min(layer.num_gaps, t + 1)):
                for head, relation, tail, count in EDGES:
                    if items[t - gap] != head:
                        continue
                    own = False
                    if windows is not None:
                        after = windows[row][t - gap + 1 : t - gap + 2]
                        before = windows[row][t - gap - 1 : t - gap] if t > gap else []
                        own = (relation == 1 and tail in after) or (relation == 2 and tail in before)
                    worth = WEIGHT_UNIT * weights[relation, gap] + vectors[n] @ gates[:, relation]
                    scores[n, tail] += worth * np.log2(1 + count - own)
            n += 1
    return scores


def dense(scores, rows):
    sparse = scores.sparse()
    return tf.scatter_nd(sparse.places, sparse.values, [rows, ITEMS]).numpy()


@pytest.mark.parametrize("gaps", [1, 2, 9])
def test_scores_are_those_of_loops(generator, gaps):
    layer = layer_of(generator, gaps)
    vectors = generator.normal(size=(CHOSEN.sum(), 3)).astype(np.float32)
    expected = by_loops(layer, vectors, SEQUENCES, CHOSEN)
    np.testing.assert_allclose(dense(layer(vectors, SEQUENCES, CHOSEN), len(vectors)), expected, rtol=1e-4, atol=1e-5)
    assert np.count_nonzero(expected)
    # Nothing is known of what was not read.
    assert dense(layer(vectors[:1], np.array([[5, 6]]), np.array([[False, True]])), 1).any() == 0


@pytest.mark.parametrize("gaps", [1, 2, 9])
def test_the_last_position_alone(generator, gaps):
    layer = layer_of(generator, gaps)
    vectors = generator.normal(size=(len(SEQUENCES), 3)).astype(np.float32)
    last = np.zeros(SEQUENCES.shape, bool)
    last[:, -1] = True
    expected = by_loops(layer, vectors, SEQUENCES, last)
    np.testing.assert_allclose(dense(layer(vectors, SEQUENCES), len(vectors)), expected, rtol=1e-4, atol=1e-5)
    # Once an edge and sorted by row: serving reads the rows as those of a ragged tensor.
    sparse = layer(vectors, SEQUENCES).sparse()
    assert len(sparse.values) == len(layer(vectors, SEQUENCES).readings)
    assert (np.diff(sparse.places[:, 0]) >= 0).all()


def test_a_sequences_rows_and_edges_stand_together(generator):
    layer = layer_of(generator)
    chosen = np.concatenate([CHOSEN, np.zeros([1, 4], bool), CHOSEN[:1]])
    sequences = np.concatenate([SEQUENCES, SEQUENCES[:2]])
    scores = layer(generator.normal(size=(chosen.sum(), 3)).astype(np.float32), sequences, chosen)
    np.testing.assert_array_equal(scores.first_rows, np.append(0, np.cumsum(chosen.sum(axis=1))))
    for sequence in range(len(sequences)):
        edges = slice(*scores.first_edges[sequence : sequence + 2])
        first, last = scores.first_rows[sequence : sequence + 2]
        rows = tf.gather(scores.rows, scores.readings[edges])
        assert np.all((rows >= first) & (rows < last))
    assert scores.first_edges[-1] == len(scores.tails)
    assert scores.first_edges[4] == scores.first_edges[5]  # The sequence without a chosen position.


def test_a_windows_own_transitions_are_not_counted(generator):
    layer = layer_of(generator, 3, reach=1)
    vectors = generator.normal(size=(CHOSEN.sum(), 3)).astype(np.float32)
    windows = np.concatenate([SEQUENCES, [[1], [1], [0], [4]]], axis=1).astype(np.int32)
    given = dense(layer(vectors, SEQUENCES, CHOSEN, windows=windows), len(vectors))
    np.testing.assert_allclose(given, by_loops(layer, vectors, SEQUENCES, CHOSEN, windows), rtol=1e-4, atol=1e-5)
    # The edge from 0 to 2 has been seen there alone.
    assert (given[0] != dense(layer(vectors, SEQUENCES, CHOSEN), len(vectors))[0]).any()


def test_own_transitions_at_any_distance_are_not_counted():
    """Items 0 1 2 3, seen by nobody else: all that is known of them is where they stand, so there is nothing to add."""
    heads, columns = [], []
    for distance in (1, 2):
        for item in range(4 - distance):
            heads += [item, item + distance]
            columns += [(2 * distance - 2, item + distance, 1), (2 * distance - 1, item, 1)]
    order = np.argsort(heads, kind="stable")
    starts = np.searchsorted(np.array(heads)[order], np.arange(ITEMS + 1))
    layer = NeighbourScores(starts, *np.array(columns)[order].T, num_gaps=3, transition_reach=2)
    layer.build([None, 2])
    layer.set_weights([np.ones(weight.shape) for weight in layer.get_weights()])
    window = np.array([[0, 1, 2, 3]], np.int32)
    chosen, vectors = np.ones([1, 3], bool), np.ones([3, 2], np.float32)
    assert dense(layer(vectors, window[:, :-1], chosen), 3).any()
    assert not dense(layer(vectors, window[:, :-1], chosen, windows=window), 3).any()


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
    assert not dense(layer(vectors, np.array([[0, 0]]), edges=none), 1).any()
    assert dense(layer(vectors, np.array([[0, 0]])), 1).any()


def test_arrays_that_are_no_edges_are_refused():
    for starts, tails in (([0, 1], [0, 0]), ([0, 2], [0, 1])):
        with pytest.raises(ValueError, match="no edges between items"):
            NeighbourScores(np.array(starts), np.zeros(2, int), np.array(tails), np.ones(2))


def found(edges):
    places = [(head, at) for head in range(3) for at in range(edges.starts[head], edges.starts[head + 1])]
    return {(head, int(edges.relations[at]), int(edges.tails[at]), float(edges.counts[at])) for head, at in places}


def test_item_edges_by_hand(tiny_dataset):
    dataset = tiny_dataset._replace(
        num_items=3,
        offsets=np.array([0, 4, 6, 6, 7]),
        items=np.array([0, 1, 1, 2, 0, 1, 2], np.int32),
        valid=np.zeros(4),
    )
    heads, relations, tails = np.array([(0, 2, 1), (0, 4, 7), (1, 3, 0), (2, 4, 2), (2, 5, 0), (7, 5, 0)], np.int32).T
    graph = CollaborativeGraph(heads, relations, tails, 8, 6)
    triplets = {(0, 0, 1, 1), (1, 1, 0, 1), (2, 2, 0, 1)}
    assert found(item_edges.build(graph, dataset, transition_reach=0)) == triplets
    # 0 is followed by 1 twice, 1 by 2 once; nothing leads from one user's history to the next.
    transitions = {(0, 3, 1, 2), (1, 4, 0, 2), (1, 3, 2, 1), (2, 4, 1, 1)}
    assert found(item_edges.build(graph, dataset, transition_reach=1)) == triplets | transitions
    # Two places later than 0 stands 1 again, in one history; 2 is two places after 1.
    further = {(0, 5, 1, 1), (1, 6, 0, 1), (1, 5, 2, 1), (2, 6, 1, 1)}
    assert found(item_edges.build(graph, dataset, transition_reach=2)) == triplets | transitions | further
