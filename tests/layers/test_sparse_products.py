import numpy as np
import tensorflow as tf

from katrec.layers.sparse_products import FixedMatrix
from tests.gradients import assert_gradient, assert_repeats

SHAPE = (6, 5)


def test_a_fixed_matrix_against_numpy(generator):
    places = generator.choice(30, size=12, replace=False)
    values = generator.normal(size=12).astype(np.float32)
    whole = np.zeros(30, np.float32)
    whole[places] = values
    dense = generator.normal(size=(5, 3)).astype(np.float32)
    matrix = FixedMatrix(places // 5, places % 5, values, SHAPE)
    np.testing.assert_allclose(matrix.times(tf.constant(dense)), whole.reshape(SHAPE) @ dense, rtol=1e-5, atol=1e-6)
    assert_gradient(matrix.times, dense)


def test_without_values():
    nothing = np.zeros(0, int)
    matrix = FixedMatrix(nothing, nothing, np.zeros(0), SHAPE)
    np.testing.assert_array_equal(tf.function(matrix.times)(tf.ones([5, 2])), np.zeros((6, 2)))


def test_the_gradient_repeats_to_the_last_digit(generator):
    places = generator.choice(20000 * 500, 200000, replace=False)
    matrix = FixedMatrix(places // 500, places % 500, generator.normal(size=200000), (20000, 500))
    assert_repeats(matrix.times, generator.normal(size=(500, 16)))
