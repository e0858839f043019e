import numpy as np
import pytest
import tensorflow as tf

from katrec.layers.outer_sum import OuterSum


@pytest.mark.parametrize("onednn", ["0", "1"])
@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_the_sum_is_that_of_all_blocks_in_either_shape(generator, monkeypatch, onednn, dtype):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)
    # Small whole numbers, which 16 bits hold.
    left, right = (generator.integers(-4, 5, size=(3, 6, width)) for width in (7, 2))
    outer_sum = OuterSum()
    state = outer_sum.zeros(7, 2)
    assert state.shape == ((2, 7) if onednn == "1" else (7, 2))
    for block in range(3):
        state = outer_sum.plus(state, tf.cast(left[block], dtype), tf.cast(right[block], dtype))
    value = outer_sum.value(state)
    assert value.dtype == tf.float32
    np.testing.assert_array_equal(value, np.einsum("bnl,bnr->lr", left, right))
