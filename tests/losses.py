"""A model's loss of a batch that is made by hand."""

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
