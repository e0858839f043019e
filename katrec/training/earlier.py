"""An earlier run's weights, as where another one begins."""

from __future__ import annotations

import dataclasses

from katrec.common.command_line import UserError
from katrec.data.dataset import Dataset
from katrec.models.base import RankingModel
from katrec.models.transfer import transfer
from katrec.training import run_directory
from katrec.training.checkpoints import best_model


def begin_from(output_dir: str, model: RankingModel, dataset: Dataset) -> dict[str, int]:
    """Gives a model the best weights of an earlier run, matched by raw id.

    Args:
      output_dir: the earlier run's directory.
      model: of the same settings, but for its training's.
      dataset: what it will be trained on.

    Returns:
      {what: how many of it the earlier run did not know}, as in `katrec.models.transfer.transfer`.

    Raises:
      UserError: there is no such run, its data set is not there as it was, or the models are of other shapes.
    """
    config = run_directory.read_config(output_dir)
    known = run_directory.read_data(config)
    earlier = best_model(output_dir, dataclasses.replace(config.settings, mixed_precision=False), known)
    try:
        return transfer(earlier, known, model, dataset)
    except UserError as error:
        raise UserError(f"init_from={output_dir}: {error}") from None
