"""A model's loss of a batch that is made by hand."""

import numpy as np
import pytest
import tensorflow as tf

from katrec.models.base import Batch, Context
from katrec.training.devices import rows_of

SEED = tf.constant([1, 5])


def loss_of(model, sequences, users, negatives=None, device=0, num_devices=1):
    """One device's share of a model's loss, with the seed SEED."""
    count = len(sequences)
    negatives = tf.zeros([count, 0], tf.int32) if negatives is None else negatives
    batch = Batch(*map(tf.constant, (sequences, users, negatives)), tf.zeros([0, 0, 4], tf.int32))
    return model.loss(batch, Context(SEED, rows_of(device, num_devices, count), device))


def assert_all_is_trained_and_shared(model, *batch):
    """Asserts that a gradient reaches every variable, and that three devices' parts of the loss add up to it."""
    with tf.GradientTape() as tape:
        loss = loss_of(model, *batch)
    for variable, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables)):
        assert np.abs(tf.convert_to_tensor(gradient).numpy()).max() > 0, variable.name
    shares = [float(loss_of(model, *batch, device=device, num_devices=3)) for device in range(3)]
    assert sum(shares) == pytest.approx(float(loss), rel=1e-4)
    assert min(shares) > 0
