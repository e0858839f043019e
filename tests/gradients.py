"""Numerical gradients."""

import numpy as np
import tensorflow as tf

from katrec.layers.tracing import traced


def assert_gradient(function, *arrays, tolerance=2e-2):
    """Asserts that the gradient of a scalar function agrees with central differences in float32.

    Args:
      function: takes as many tensors as there are arrays, returns a tensor; its weighted sum is differentiated.
      arrays: float arrays with values around 1.
    """
    generator = np.random.default_rng(0)
    tensors = [tf.constant(array, tf.float32) for array in arrays]
    weights = tf.constant(generator.normal(size=function(*tensors).shape), tf.float32)

    def scalar(*values):
        return tf.reduce_sum(function(*values) * weights)

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = scalar(*tensors)
    gradients = tape.gradient(value, tensors)
    step = 1e-2
    for position, gradient in enumerate(gradients):
        direction = generator.normal(size=tensors[position].shape).astype(np.float32)
        ends = []
        for sign in (1, -1):
            moved = list(tensors)
            moved[position] = tensors[position] + sign * step * direction
            ends.append(float(scalar(*moved)))
        numerical = (ends[0] - ends[1]) / (2 * step)
        analytical = float(tf.reduce_sum(tf.convert_to_tensor(gradient) * direction))
        np.testing.assert_allclose(analytical, numerical, rtol=tolerance, atol=tolerance)


def assert_repeats(function, *arrays, times=50):
    """Asserts that a function's gradients are the same, to the last digit, each time: no thread's pace matters.

    Args:
      function, arrays: as in `assert_gradient`.
    """
    tensors = [tf.constant(array, tf.float32) for array in arrays]
    upstream = tf.constant(np.random.default_rng(0).normal(size=function(*tensors).shape), tf.float32)

    @traced
    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = tf.reduce_sum(function(*tensors) * upstream)
        return tape.gradient(value, tensors)

    assert len({b"".join(one.numpy().tobytes() for one in gradients()) for _ in range(times)}) == 1
