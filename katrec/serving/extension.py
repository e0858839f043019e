"""What an export keeps so that items can be added: all weights, the prepared data set, what was added before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from katrec import settings as settings_module
from katrec.common import files
from katrec.common.command_line import UserError, reason
from katrec.data import growth
from katrec.data.dataset import Dataset, load
from katrec.data.growth import NewItems
from katrec.models.base import RankingModel
from katrec.models.build import build
from katrec.serving import EXTRA
from katrec.settings import Settings

FOLDER, WEIGHTS, DATA = "extension", "weights", "data"


class Extension(NamedTuple):
    """A model that can be extended.

    Attributes:
      model: with its weights.
      dataset: with all that was added.
      settings: the run's.
      additions: what was added after the training, in its order.
    """

    model: RankingModel
    dataset: Dataset
    settings: Settings
    additions: Sequence[NewItems]

    def write(self, extra: str) -> None:
        """Writes it below an export's folder of extra files.

        Raises:
          UserError: the model knows items by their interactions alone, or the data set has no files.
        """
        if not self.model.describes_cold_items:
            raise UserError(
                f"{self.settings.model} knows items by their interactions alone: none can be added to it; train katrec "
                "or katrec_next_item"
            )
        folder = os.path.join(extra, FOLDER)
        os.makedirs(folder)
        tf.train.Checkpoint(model=self.model).write(os.path.join(folder, WEIGHTS))
        kept = os.path.join(folder, DATA, self.dataset.name)
        os.makedirs(kept)
        for name in (*self.dataset.checksums, files.MANIFEST):
            shutil.copy(os.path.join(self.dataset.folder, name), os.path.join(kept, name))
        growth.write(extra, self.additions)


def read(path: str, metadata: Mapping[str, Any]) -> Extension:
    """Returns what an export in `path` kept; `metadata` is the export's.

    Raises:
      UserError: it kept nothing, or that is damaged.
    """
    folder = os.path.join(path, EXTRA, FOLDER)
    if not os.path.isdir(folder):
        raise UserError(f"{path}: was exported without --extendable; export the run again with it")
    settings = settings_module.from_dict({**metadata["flags"], "mixed_precision": False}, path)
    additions = growth.read(os.path.join(path, EXTRA))
    dataset = growth.known_to(load(os.path.join(folder, DATA), metadata["dataset"]), metadata, additions)
    model = build(settings, dataset)
    try:
        tf.train.Checkpoint(model=model).read(os.path.join(folder, WEIGHTS)).assert_consumed()
    except (tf.errors.OpError, AssertionError, ValueError) as error:
        raise UserError(f"{folder}: damaged ({reason(error)}); export the run again") from None
    return Extension(model, dataset, settings, additions)
