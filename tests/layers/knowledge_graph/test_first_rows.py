import numpy as np
import pytest
import tensorflow as tf

from katrec.layers.knowledge_graph.first_rows import with_first_rows
from tests.gradients import assert_gradient


@pytest.mark.parametrize("count", [1, 3, 5])
def test_table_and_rows_with_the_gradients_of_both(generator, count):
    table = generator.normal(size=(5, 3)).astype(np.float32)
    factors = generator.normal(size=(5, 3)).astype(np.float32), generator.normal(size=(count, 3)).astype(np.float32)
    whole, rows = with_first_rows(tf.constant(table), count)
    np.testing.assert_array_equal(whole, table)
    np.testing.assert_array_equal(rows, table[:count])

    def weighted(table):
        whole, rows = with_first_rows(table, count)
        return tf.reduce_sum(whole * factors[0]) + tf.reduce_sum(rows * factors[1])[None]

    assert_gradient(weighted, table)
