"""What is traced is traced as it is written."""

import pytest
import tensorflow as tf

from katrec.layers.tracing import traced


class Layer(tf.keras.layers.Layer):
    """Needs AutoGraph in a traced function."""

    def call(self, x):
        if x > 0:
            return x
        return -x


def test_neither_a_function_nor_a_layer_that_it_calls_is_rewritten():
    def plain(x):
        if x > 0:
            return x
        return -x

    for function in (plain, Layer()):
        assert tf.function(function)(tf.constant(-2.0)) == 2
        with pytest.raises(TypeError, match="symbolic `tf.Tensor` as a Python `bool`"):
            traced(function)(tf.constant(-2.0))


def test_options_are_passed_on():
    shapes = []

    @traced(reduce_retracing=True)
    def double(x):
        shapes.append(x.shape)
        return 2 * x

    class Two:
        @traced
        def double(self, x):
            return 2 * x

    for length in (1, 2, 3, 4):
        assert double(tf.ones([length])).numpy().tolist() == [2.0] * length
    assert len(shapes) == 2 and shapes[1] == [None]
    assert Two().double(tf.constant(3)) == 6
