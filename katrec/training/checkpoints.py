"""The checkpoints of a run: where it is, the weights that did best on validation, where its pre-training is."""

from __future__ import annotations

import os
import re
from typing import Any, Optional

import tensorflow as tf

from katrec.common import beside, files
from katrec.common.command_line import UserError, reason, warn
from katrec.data.dataset import Dataset
from katrec.models.base import RankingModel
from katrec.models.build import build
from katrec.settings import Settings

FOLDER = "checkpoints"
LATEST, BEST, PRETRAINING = "latest", "best", "pretraining"
# TensorFlow's name for the file that names the checkpoints.
STATE = "checkpoint"
_FILE = re.compile(r"ckpt-(\d+)\.(index|data-\d+-of-\d+)")


class Checkpoints:
    """The newest checkpoints of one kind, in OUTPUT_DIR/checkpoints/KIND, as tf.train.latest_checkpoint finds them.

    What counts is which files are there and whole: a file that TensorFlow keeps of their names may be lost.

    Args:
      output_dir: the run directory.
      kind: "latest", "best" or "pretraining".
      values: what is kept, named.
      keep: so many are kept.
    """

    def __init__(self, output_dir: str, kind: str, keep: int = 1, **values: Any) -> None:
        self._folder = os.path.join(output_dir, FOLDER, kind)
        self._checkpoint, self._keep = tf.train.Checkpoint(**values), keep

    @property
    def exist(self) -> bool:
        """Whether there is a checkpoint, damaged or not."""
        return bool(self._numbers())

    def save(self) -> str:
        """Adds a checkpoint and removes the oldest; returns its path.

        Raises:
          UserError: it cannot be written; the earlier ones are as they were.
        """
        number = max(self._numbers(), default=0) + 1
        path = self._path(number)
        try:
            self._checkpoint.write(path)
            for name in self._files(number):
                beside.to_disk(os.path.join(self._folder, name))
            numbers = self._numbers()[-self._keep :]
            self._name(numbers)
        except (tf.errors.OpError, OSError) as error:
            self._remove(number)
            raise UserError(
                f"{path}: cannot be written ({reason(error)}); earlier checkpoints are as they were: make room, then "
                "the same command goes on from there"
            ) from None
        for older in set(self._numbers()) - set(numbers):
            self._remove(older)
        return path

    def restore(self, tidy: bool = False) -> Optional[str]:
        """Gives all that is kept the values of the newest checkpoint that is whole; says it where that is an older one.

        Args:
          tidy: whether newer ones that are damaged, and what killed writers left, are removed: by the run's owner.

        Returns:
          Its path; None where there is none, damaged or not.

        Raises:
          UserError: all are damaged, or hold other values than are kept: they belong to other settings or another
            version.
        """
        if tidy:
            self._clean()
        failures: list[tuple[str, Exception]] = []
        named = self._named()
        for number in reversed(self._numbers()):
            path = self._path(number)
            try:
                self._checkpoint.read(path).assert_consumed()
            except (tf.errors.OpError, AssertionError, IndexError, KeyError, ValueError) as error:
                # One that is not named was not whole when its writer was killed.
                if number in named:
                    failures.append((path, error))
                continue
            if tidy:
                self._remove_newer(number)
            if failures:
                warn(f"{failures[0][0]}: damaged ({reason(failures[0][1])}); taking {path} instead")
            return path
        if not failures:
            if tidy:
                self._remove_newer(0)
            return None
        path, failure = failures[0]
        if isinstance(failure, AssertionError):
            raise UserError(
                f"{path}: does not fit this model; it was written with other settings or by another version of katrec: "
                "train again in another --output_dir, or with --noresume"
            )
        raise UserError(f"{path}: the checkpoint is damaged ({reason(failure)}); train again with --noresume")

    def discard(self) -> None:
        """Removes all of them."""
        beside.remove(self._folder)

    def _path(self, number):
        return os.path.join(self._folder, f"ckpt-{number}")

    def _files(self, number=None):
        """Returns the names of the files of a checkpoint, or of all."""
        names = os.listdir(self._folder) if os.path.isdir(self._folder) else []
        found = [(name, _FILE.fullmatch(name)) for name in names]
        return [name for name, match in found if match and number in (None, int(match.group(1)))]

    def _numbers(self):
        """Returns the numbers of the checkpoints, oldest first; one that lacks a file counts, so that it is told."""
        return sorted({int(name.split("-")[1].split(".")[0]) for name in self._files()})

    def _remove(self, number):
        for name in self._files(number):
            beside.remove(os.path.join(self._folder, name))

    def _remove_newer(self, number):
        for newer in self._numbers():
            if newer > number:
                self._remove(newer)

    def _named(self):
        """Returns the numbers of the checkpoints that were written to their end, as far as their names are known."""
        try:
            with open(os.path.join(self._folder, STATE), "rb") as file:
                return set(map(int, re.findall(rb'ckpt-(\d+)"', file.read())))
        except FileNotFoundError:
            return set()

    def _name(self, numbers):
        names = [f"ckpt-{number}" for number in numbers]
        lines = [f'model_checkpoint_path: "{names[-1]}"', *(f'all_model_checkpoint_paths: "{one}"' for one in names)]
        with files.replacing(os.path.join(self._folder, STATE)) as file:
            file.write("\n".join(lines) + "\n")

    def _clean(self):
        """Removes TensorFlow's unfinished files."""
        for name in os.listdir(self._folder) if os.path.isdir(self._folder) else []:
            if name != STATE and not _FILE.fullmatch(name):
                beside.remove(os.path.join(self._folder, name))


def best_checkpoints(output_dir: str, model: RankingModel) -> Checkpoints:
    """Returns the checkpoint of the model's weights that did best on validation."""
    return Checkpoints(output_dir, BEST, model=model)


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
    if best_checkpoints(output_dir, model).restore() is None:
        raise UserError(f"{output_dir}: no checkpoint yet; the run has not reached its first evaluation")
    return model
