"""From a trained model to a SavedModel that was compared with it."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Optional

import tensorflow as tf

from katrec.common import provenance
from katrec.common.command_line import UserError
from katrec.data.dataset import Dataset
from katrec.models.base import RankingModel
from katrec.serving import integrity
from katrec.serving.extension import Extension
from katrec.serving.recommender import Recommender
from katrec.serving.saved_model import largest_difference, write
from katrec.serving.served import Served
from katrec.settings import Settings

# Of a score; scores are of the order of 10.
TOLERANCE = 1e-4


def export(
    model: RankingModel,
    dataset: Dataset,
    settings: Settings,
    result: Optional[dict[str, Any]],
    path: str,
    max_k: int,
    extendable: bool = False,
) -> Recommender:
    """Writes a SavedModel, compares its scores with the model's, and says so in two lines.

    Args:
      model: with its best weights, in 32 bits.
      dataset: what it was trained on.
      settings: the run's, for the metadata.
      result: content of the run's result.json, for the metadata.
      path: the folder to make.
      max_k: the most items that a request may ask for.
      extendable: also keep what `add_items` needs.

    Returns:
      The SavedModel as a `Recommender`.

    Raises:
      UserError: the scores differ.
    """
    metadata = {
        "dataset": dataset.name,
        "model": settings.model,
        "items": dataset.num_items,
        "max_k": max_k,
        "data": dict(dataset.checksums),
        "flags": dataclasses.asdict(settings),
        "result": result,
        "licence": dataset.licence,
        "versions": {**provenance.version(), "tensorflow": tf.__version__},
    }
    ids = dataset.raw_ids("item"), dataset.raw_ids("user")
    served = Served(model, *ids, dataset.popularity(), max_k, metadata)
    kept = (lambda folder: Extension(model, dataset, settings, []).write(folder)) if extendable else None
    size = write(served, path, metadata, os.path.join(dataset.folder, "items.tsv"), kept)
    print(
        f"exported {settings.model} of {dataset.name} to {path}, {size / 2**20:.1f} MiB, "
        f"fingerprint {integrity.fingerprint(path)}"
    )
    recommender = Recommender.load(path, os.path.dirname(dataset.folder))
    # By the tables' ids: those of the SavedModel come from the arrays.
    by_table = dataset.table_ids("item"), dataset.table_ids("user")
    difference, users = largest_difference(recommender.signatures, model, dataset, *by_table)
    print(f"its scores of all items for {users:,} test users differ from the model's by at most {difference:.1e}")
    if not difference <= TOLERANCE:
        raise UserError(
            f"{path}: differs by more than {TOLERANCE:g}; do not use it, and please report it with the lines above"
        )
    return recommender
