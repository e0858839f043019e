"""The two checkpoints of a run: where it is, and the weights that did best on validation."""

from __future__ import annotations

import os

import tensorflow as tf

from katrec.common.command_line import UserError
from katrec.data.dataset import Dataset
from katrec.models.base import RankingModel
from katrec.models.build import build
from katrec.settings import Settings


def latest_checkpoint(output_dir: str, checkpoint: tf.train.Checkpoint) -> tf.train.CheckpointManager:
    """Returns the manager of `checkpoint`, all that a run needs to go on."""
    return _manager(output_dir, "latest", checkpoint, max_to_keep=2)


def best_checkpoint(output_dir: str, model: RankingModel) -> tf.train.CheckpointManager:
    """Returns the manager of the model's weights that did best on validation."""
    return _manager(output_dir, "best", tf.train.Checkpoint(model=model), max_to_keep=1)


def restore(manager: tf.train.CheckpointManager) -> bool:
    """Gives everything that a checkpoint manager keeps the newest checkpoint's values.

    Returns:
      Whether there is a checkpoint.

    Raises:
      UserError: it is damaged, or does not hold every value: it belongs to other settings or to another version.
    """
    path = manager.latest_checkpoint
    if path is None:
        return False
    try:
        manager.checkpoint.restore(path).assert_existing_objects_matched()
    except AssertionError:
        raise UserError(
            f"{path}: does not fit this model; it was written with other settings or by another version of katrec: "
            "train again in another --output_dir, or with --noresume"
        ) from None
    except (tf.errors.OpError, IndexError, ValueError) as error:
        raise UserError(
            f"{path}: the checkpoint is damaged ({str(error).splitlines()[0][:120]}); train again with --noresume"
        ) from None
    return True


def best_model(output_dir: str, settings: Settings, dataset: Dataset) -> RankingModel:
    """Returns the model of a run with the weights that did best on validation.

    Args:
      output_dir: the run directory.
      settings: its settings.
      dataset: what it was trained on.

    Raises:
      UserError: the run has no such weights yet, or they do not fit the settings.
    """
    model = build(settings, dataset)
    if not restore(best_checkpoint(output_dir, model)):
        raise UserError(f"{output_dir}: no checkpoint yet; the run has not reached its first evaluation")
    return model


def _manager(output_dir, name, checkpoint, max_to_keep):
    folder = os.path.join(output_dir, "checkpoints", name)
    return tf.train.CheckpointManager(checkpoint, folder, max_to_keep=max_to_keep)
