import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from katrec.layers.grouped_projection import project
from tests.gradients import assert_gradient, assert_repeats


def case(relations, num_relations, vectors=2, dim=5, relation_dim=3):
    generator = np.random.default_rng(len(relations))
    rows = generator.normal(size=(len(relations), vectors, dim)).astype(np.float32)
    return rows, np.array(relations, np.int32), generator.normal(size=(num_relations, dim, relation_dim))


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 9))
@settings(deadline=None, max_examples=40)
def test_each_vector_is_projected_by_its_own_relation(relations, block_rows):
    rows, relations, projection = case(relations, 7)
    expected = [row @ projection[relation] for row, relation in zip(rows, relations)]
    given_ones = project(tf.constant(rows), relations, tf.constant(projection, tf.float32), block_rows)
    np.testing.assert_allclose(given_ones, np.reshape(expected, given_ones.shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block_rows", [1, 3, 32])
def test_gradients(generator, block_rows):
    rows, relations, projection = case(generator.integers(4, size=11), 5)
    assert_gradient(lambda *tensors: project(tensors[0], relations, tensors[1], block_rows), rows, projection)


def test_a_relation_without_a_vector_has_no_gradient(generator):
    rows, relations, projection = case([0, 2, 2], 4)
    weights = tf.constant(projection, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = tf.reduce_sum(project(tf.constant(rows), relations, weights))
    moved = np.abs(tape.gradient(value, weights)).sum(axis=(1, 2)) > 0
    assert moved.tolist() == [True, False, True, False]


def test_gradients_repeat_to_the_last_digit(generator):
    rows, relations, projection = case(generator.integers(20, size=2048), 20, dim=16, relation_dim=8)
    assert_repeats(lambda *tensors: project(tensors[0], relations, tensors[1]), rows, projection)
