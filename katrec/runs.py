"""Runs from Python: what the commands train, evaluate and export do, without a command line."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Sequence
from typing import Any, Optional, Union

from katrec.common import lock
from katrec.common.command_line import FlagError, UserError
from katrec.data.dataset import Dataset, load
from katrec.models import registry
from katrec.settings import Settings
from katrec.training import devices, run_directory
from katrec.training.run_directory import RunConfig
from katrec.training.tracking import tracked

DATASETS_DIR = "datasets"


class Run:
    """A run directory: a model's settings, its best weights, and what they reached.

    Args:
      output_dir: what `fit` or `python -m katrec.train` wrote.
      datasets_dir: where the data set is; if not given, where it was at the training.

    Attributes:
      output_dir: the run directory.
      settings: the run's `Settings`.
      dataset: the `Dataset`, without what its cold items have lost.
      result: the content of result.json; None where the run has not ended.

    Raises:
      UserError: it is no run directory, or the data set was prepared otherwise.
    """

    def __init__(self, output_dir: str, datasets_dir: Optional[str] = None) -> None:
        config = run_directory.read_config(output_dir)
        self.output_dir = output_dir
        self.settings = config.settings
        self.dataset = run_directory.read_data(config, datasets_dir)
        self.result = run_directory.read_result(output_dir)

    @property
    def metrics(self) -> dict[str, dict[str, dict[str, float]]]:
        """What the best weights reached: {"test": {"sampled": {"Hit@1": …, …}, "full": {…}, "lists": {…}}, "valid": …}.

        Raises:
          UserError: the run has not ended.
        """
        if self.result is None:
            raise UserError(f"{self.output_dir}: the run has not ended; train on with the same settings")
        return {split: self.result[split] for split in ("valid", "test")}

    def evaluate(
        self, split: str = "test", num_negatives: Optional[int] = None, ks: Optional[Sequence[int]] = None
    ) -> dict[str, dict[str, float]]:
        """Ranks the held-out items again with the best weights.

        Args:
          split: "valid" or "test".
          num_negatives: of the sampled ranking; if not given, the run's.
          ks: the K of Hit@K and the others, beside 1, 5 and 10; if not given, the run's.

        Returns:
          {"sampled": metrics, "full": metrics, "lists": metrics of the lists that are recommended from all items}.
        """
        from katrec.evaluation.ranking import Evaluator
        from katrec.evaluation.summary import Summary

        cutoffs = self.settings.cutoffs if ks is None else dataclasses.replace(self.settings, ks=tuple(ks)).cutoffs
        count = self.settings.num_negatives if num_negatives is None else num_negatives
        evaluator = Evaluator(self.best_model(), self.dataset, split, count)
        return Summary(evaluator, self.dataset, cutoffs).all_users()

    def best_model(self, settings: Optional[Settings] = None) -> Any:
        """Returns the `RankingModel` with the weights that did best on validation.

        Args:
          settings: the run's, or changed where that changes no variable, such as `mixed_precision`.
        """
        from katrec.training.checkpoints import best_model

        return best_model(self.output_dir, settings or self.settings, self.dataset)

    def export(self, saved_model: str, max_k: int = 100, extendable: bool = False) -> Any:
        """Writes a SavedModel that needs TensorFlow alone, and compares its scores with the model's.

        Args:
          saved_model: the folder to make.
          max_k: the most items that a request may ask for.
          extendable: also keep what `katrec.add_items` needs: all weights and the prepared data set.

        Returns:
          The `Recommender` of the SavedModel.

        Raises:
          UserError: there is something at `saved_model`, the scores differ, or the model cannot be extended.
        """
        from katrec.serving.export import export

        if os.path.exists(saved_model):
            raise UserError(f"{saved_model}: exists; remove it or choose another name")
        # 16-bit products would round a score by the batch that it is in, and few machines are quick at them.
        model = self.best_model(dataclasses.replace(self.settings, mixed_precision=False))
        return export(model, self.dataset, self.settings, self.result, saved_model, max_k, extendable)


def fit(
    dataset: Union[str, Dataset],
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    output_dir: Optional[str] = None,
    datasets_dir: str = DATASETS_DIR,
    pretrained_dir: Optional[str] = None,
    resume: bool = True,
    tracking: Optional[str] = None,
) -> Run:
    """Trains a model, or goes on with a run that was interrupted; a finished one is returned as it is.

    Args:
      dataset: name of a prepared data set, or what `katrec.data.dataset.load` returned.
      settings: the model's and its training's.
      output_dir: the run directory; if not given, runs/DATASET/MODEL-seedN.
      datasets_dir: folder of the prepared data sets, where `dataset` is a name.
      pretrained_dir: folder that keeps pre-trained embeddings; a run that would compute the same ones takes them from
        there.
      resume: go on where a run in `output_dir` stopped; without it, it is removed and begun anew.
      tracking: "mlflow" to keep settings, metrics and files there, too (`katrec.training.tracking`).

    Returns:
      The finished run. On a worker that is not the chief of several, the run as it was at the start.

    Raises:
      FlagError: settings that do not go together.
      UserError: the data set, the settings or the directory do not fit, or another process trains in the directory.
      Interrupted: Ctrl-C, or a command's SIGTERM; what was reached is saved.
    """
    registry.check(settings)
    if pretrained_dir and settings.distribution == "multi_worker":
        raise FlagError("--pretrained_dir: not with --distribution=multi_worker, whose workers pre-train together")
    dataset = load(datasets_dir, dataset) if isinstance(dataset, str) else dataset
    output_dir = output_dir or os.path.join("runs", dataset.name, f"{settings.model}-seed{settings.seed}")
    datasets_dir = os.path.dirname(dataset.folder) or os.curdir
    config = RunConfig(dataset.name, datasets_dir, settings, dataset.checksums)
    on_row = None
    with contextlib.ExitStack() as stack:
        # The other workers follow the chief, which alone writes to the run directory.
        if devices.is_chief(settings.distribution):
            stack.enter_context(lock.owned(output_dir, "trains in"))
            run_directory.claim(output_dir, config, resume)
            on_row = stack.enter_context(tracked(tracking, output_dir, config))
        if resume and run_directory.read_result(output_dir) is not None:
            print(f"{output_dir} is finished; it is not trained again")
        else:
            # TensorFlow takes seconds to import: settings, data and directory are checked before.
            from katrec.training.trainer import Trainer

            Trainer(settings, run_directory.as_trained(dataset, settings), output_dir, pretrained_dir, on_row).run()
    return Run(output_dir, datasets_dir)
