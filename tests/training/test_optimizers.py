import importlib.util

import numpy as np
import pytest
import tensorflow as tf

from katrec.training import optimizers
from katrec.training.optimizers import (
    BETA_1,
    BETA_2,
    EPSILON,
    WarmupLinearDecay,
    adam,
    adamw,
    addons_adamw,
    create_variables,
    keras_adamw,
)
from katrec.training.step import apply

WITHOUT_ADDONS = "TensorFlow Addons has no wheels for this Python"
SCHEDULE = WarmupLinearDecay(0.1, 3, 20)


def steps(optimizer, count=15):
    """The values of a decayed kernel and of a bias over `count` steps of a quadratic loss."""
    kernel, bias = tf.Variable([1.0, -2.0, 3.0], name="kernel"), tf.Variable([1.0, -2.0, 3.0], name="bias")
    values = []
    create_variables(optimizer, [kernel, bias])
    for _ in range(count):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((kernel - 0.5) ** 2) + tf.reduce_sum((bias - 0.5) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, [kernel, bias]), [kernel, bias]))
        values.append(np.concatenate([kernel.numpy(), bias.numpy()]))
    return np.array(values)


def expected(weight_decay, count=15):
    w = np.array([1.0, -2.0, 3.0] * 2)
    m, v, values = np.zeros(6), np.zeros(6), []
    decay = np.array([weight_decay] * 3 + [0.0] * 3)
    for step in range(count):
        rate = 0.1 * min((step + 1) / 3, (20 - step) / 17, 1)
        gradient = 2 * (w - 0.5)
        w = w - rate * decay * w
        m = BETA_1 * m + (1 - BETA_1) * gradient
        v = BETA_2 * v + (1 - BETA_2) * gradient**2
        correction = np.sqrt(1 - BETA_2 ** (step + 1)) / (1 - BETA_1 ** (step + 1))
        w = w - rate * correction * m / (np.sqrt(v) + EPSILON)
        values.append(w)
    return np.array(values)


@pytest.mark.parametrize("make", [addons_adamw, keras_adamw])
def test_decay_is_scaled_by_the_learning_rate(make):
    if make is addons_adamw:
        pytest.importorskip("tensorflow_addons", reason=WITHOUT_ADDONS)
    np.testing.assert_allclose(steps(make(SCHEDULE, 0.3)), expected(0.3), rtol=1e-4, atol=1e-5)


def test_keras_takes_the_steps_of_addons_and_reads_its_checkpoints(tmp_path):
    pytest.importorskip("tensorflow_addons", reason=WITHOUT_ADDONS)
    ours, theirs = keras_adamw(SCHEDULE, 0.3), addons_adamw(SCHEDULE, 0.3)
    np.testing.assert_array_equal(steps(ours), steps(theirs))
    for reader, writer in ((ours, theirs), (theirs, ours)):
        path = tf.train.Checkpoint(optimizer=writer).write(str(tmp_path / "checkpoint"))
        tf.train.Checkpoint(optimizer=reader).read(path).assert_consumed()


@pytest.mark.parametrize("there", [True, False])
def test_addons_where_they_are_installed_else_keras(monkeypatch, there):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: there or None)
    monkeypatch.setattr(optimizers, "addons_adamw", lambda *arguments: "Addons")
    assert (adamw(SCHEDULE) == "Addons") == there


def test_schedule():
    rates = [float(SCHEDULE(step)) for step in (0, 1, 2, 3, 11, 19, 20, 25)]
    assert rates == pytest.approx([0.1 / 3, 0.2 / 3, 0.1, 0.1, 0.1 * 9 / 17, 0.1 / 17, 0, 0])
    assert float(WarmupLinearDecay(0.1, 0, 10)(0)) == pytest.approx(0.1)
    assert WarmupLinearDecay.from_config(SCHEDULE.get_config()).get_config() == SCHEDULE.get_config()


def test_adam_without_decay():
    np.testing.assert_allclose(steps(adam(SCHEDULE)), expected(0.0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [0.5, 2.0, 100.0])
def test_only_a_gradient_longer_than_the_bound_is_shortened(size):
    """With steps of plain gradient descent, the change of each variable is the gradient that was applied."""
    values = [np.array([[3.0, 0.0], [0.0, 0.0]]), np.array([0.0, 4.0])]
    gradients = [tf.constant(size / 5 * value, tf.float32) for value in values]
    variables = [tf.Variable(tf.zeros_like(gradient)) for gradient in gradients]
    descent = tf.keras.optimizers.legacy.SGD(1.0)
    strategy = tf.distribute.get_strategy()
    norm = tf.function(lambda: apply(descent, gradients, variables, 2.0, strategy))()
    assert float(norm) == pytest.approx(size)
    for variable, value in zip(variables, values):
        np.testing.assert_allclose(variable, -value / 5 * min(size, 2.0), rtol=1e-6)
