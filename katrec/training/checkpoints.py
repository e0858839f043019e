"""The two checkpoints of a run: where it is, and the weights that did best on validation."""

import os

import tensorflow as tf

from katrec.models.build import build
from katrec_common.command_line import UserError


def latest_checkpoint(output_dir, checkpoint):
    """Returns the manager of `checkpoint`, a `tf.train.Checkpoint` of all that a run needs to go on."""
    return _manager(output_dir, "latest", checkpoint, max_to_keep=2)


def best_checkpoint(output_dir, model):
    """Returns the manager of the model's weights that did best on validation."""
    return _manager(output_dir, "best", tf.train.Checkpoint(model=model), max_to_keep=1)


def best_model(output_dir, config, dataset):
    """Returns the model of a run with the weights that did best on validation.

    Args:
      output_dir: the run directory.
      config: its settings.
      dataset: `Dataset`.

    Raises:
      UserError: the run has no such weights yet.
    """
    model, _ = build(config, dataset)
    if not best_checkpoint(output_dir, model).restore_or_initialize():
        raise UserError(f"{output_dir}: no checkpoint yet; the run has not reached its first evaluation")
    return model


def _manager(output_dir, name, checkpoint, max_to_keep):
    folder = os.path.join(output_dir, "checkpoints", name)
    return tf.train.CheckpointManager(checkpoint, folder, max_to_keep=max_to_keep)
