"""The prepared data set on disk. Same input and settings give the same bytes."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from katrec.common import files
from preprocess.pipeline import Prepared


def write(prepared: Prepared, folder: str, name: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the prepared files; `manifest.json` comes last, so that a folder with one is whole.

    Args:
      prepared: what to write.
      folder: where; created when missing.
      name: the data set's name.
      manifest: dict of settings and inputs; versions and the outputs' checksums are added.

    Returns:
      The statistics, Table 1's columns.
    """
    path = os.path.join(folder, "manifest.json")
    if os.path.exists(path):
        os.unlink(path)
    statistics = table_1(prepared, name)
    _write_arrays(
        folder,
        "interactions.npz",
        offsets=prepared.offsets,
        items=prepared.items,
        valid=prepared.valid,
        test=prepared.test,
    )
    _write_arrays(folder, "triplets.npz", triplets=prepared.triplets)
    items = len(prepared.item_ids)
    _write_rows(
        folder, "items.tsv", item_id=prepared.item_ids, entity_id=prepared.entity_ids[:items], title=prepared.titles
    )
    _write_rows(folder, "users.tsv", user_id=prepared.user_ids)
    _write_rows(folder, "entities.tsv", entity_id=prepared.entity_ids)
    _write_rows(folder, "relations.tsv", relation_id=prepared.relation_ids)
    files.write_json(os.path.join(folder, "statistics.json"), statistics)
    outputs = [
        "interactions.npz",
        "triplets.npz",
        "items.tsv",
        "users.tsv",
        "entities.tsv",
        "relations.tsv",
        "statistics.json",
    ]
    files.write_json(
        path,
        {
            "dataset": name,
            **manifest,
            "report": prepared.report,
            "outputs": {output: files.sha256(os.path.join(folder, output)) for output in outputs},
            "versions": {"python": platform.python_version(), "numpy": np.__version__, "pandas": pd.__version__},
        },
    )
    return statistics


def table_1(prepared: Prepared, name: str) -> dict[str, Any]:
    """Returns Table 1's row. Entities leave the items out, as the paper's counts do."""
    users, items = len(prepared.user_ids), len(prepared.item_ids)
    held_out = int((prepared.valid >= 0).sum() + (prepared.test >= 0).sum())
    interactions = len(prepared.items) + held_out
    return {
        "dataset": name,
        "users": users,
        "items": items,
        "interactions": interactions,
        "entities": len(prepared.entity_ids) - items,
        "relations": len(prepared.relation_ids),
        "triplets": len(prepared.triplets),
        "density": interactions / (users * items),
    }


def _write_arrays(folder, name, **arrays):
    with files.replacing(os.path.join(folder, name), "wb") as file:
        np.savez(file, **arrays)


def _write_rows(folder, name, **columns):
    with files.replacing(os.path.join(folder, name)) as file:
        # Raw ids and titles were read from tab-separated fields: they hold neither tabs nor line ends.
        file.write("\t".join(columns) + "\n")
        file.writelines("\t".join(row) + "\n" for row in zip(*columns.values()))
