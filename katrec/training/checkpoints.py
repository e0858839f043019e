"""The two checkpoints of a run: where it is, and the weights that did best on validation."""

import os

import tensorflow as tf


def latest_checkpoint(output_dir, checkpoint):
    """Returns the manager of `checkpoint`, a `tf.train.Checkpoint` of all that a run needs to go on."""
    return _manager(output_dir, "latest", checkpoint, max_to_keep=2)


def best_checkpoint(output_dir, model):
    """Returns the manager of the model's weights that did best on validation."""
    return _manager(output_dir, "best", tf.train.Checkpoint(model=model), max_to_keep=1)


def _manager(output_dir, name, checkpoint, max_to_keep):
    folder = os.path.join(output_dir, "checkpoints", name)
    return tf.train.CheckpointManager(checkpoint, folder, max_to_keep=max_to_keep)
