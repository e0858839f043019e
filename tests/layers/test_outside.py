import numpy as np
import tensorflow as tf

from katrec.layers.outside import outside


def test_items_outside_by_hand():
    # Four items; 4 is padding. One item stands twice.
    sequences = tf.constant([[4, 4, 0], [2, 1, 2], [4, 4, 4]])
    expected = [[0, 1, 1, 1, 0], [1, 0, 0, 1, 0], [1, 1, 1, 1, 0]]
    np.testing.assert_array_equal(outside(sequences, 4), np.array(expected, bool))
