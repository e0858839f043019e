"""The prepared data set on disk. Same input and settings give the same bytes."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from katrec.common import beside, files, sealed
from katrec.common.ids import pack
from preprocess.pipeline import Prepared


def write(prepared: Prepared, folder: str, name: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the prepared files beside their places and then puts them there, `manifest.json` last.

    What fails before that leaves an earlier data set as it was.

    Args:
      prepared: what to write.
      folder: where; created when missing.
      name: the data set's name.
      manifest: dict of settings and inputs; versions and the outputs' checksums are added.

    Returns:
      The statistics, Table 1's columns.
    """
    unfinished = beside.new(os.path.join(folder, "prepared"))
    try:
        os.mkdir(unfinished)
        statistics, outputs = _write(prepared, unfinished, name, manifest)
        for output in outputs:
            os.replace(os.path.join(unfinished, output), os.path.join(folder, output))
        beside.to_disk(folder)
    finally:
        beside.remove(unfinished)
    return statistics


def _write(prepared, folder, name, manifest):
    """Returns the statistics and the files' names, the manifest's last."""
    statistics = table_1(prepared, name)
    arrays = {
        "interactions.npz": {
            "offsets": prepared.offsets,
            "items": prepared.items,
            "valid": prepared.valid,
            "test": prepared.test,
            **({"cold": prepared.cold} if len(prepared.cold) else {}),
        },
        "triplets.npz": {"triplets": prepared.triplets},
        # Beside the tables, as arrays: what a line end in a table could shift is found out when it is read.
        "ids.npz": {
            f"{what}_{part}": array
            for what, ids in (("item", prepared.item_ids), ("user", prepared.user_ids))
            for part, array in zip(("bytes", "offsets"), pack(ids))
        },
    }
    for output, content in arrays.items():
        with files.replacing(os.path.join(folder, output), "wb") as file:
            np.savez(file, **content)
    items = len(prepared.item_ids)
    tables = {
        "items.tsv": {
            "item_id": prepared.item_ids,
            "entity_id": prepared.entity_ids[:items],
            "title": prepared.titles,
            **({"cold": np.where(np.isin(np.arange(items), prepared.cold), "1", "0")} if len(prepared.cold) else {}),
        },
        "users.tsv": {"user_id": prepared.user_ids},
        "entities.tsv": {"entity_id": prepared.entity_ids},
        "relations.tsv": {"relation_id": prepared.relation_ids},
    }
    for output, columns in tables.items():
        files.write_columns(os.path.join(folder, output), columns)
    files.write_json(os.path.join(folder, "statistics.json"), statistics)
    outputs = (*arrays, *tables, "statistics.json")
    sealed.write(
        os.path.join(folder, files.MANIFEST),
        {
            "dataset": name,
            "format": files.DATA_FORMAT,
            **manifest,
            "report": prepared.report,
            "outputs": {output: files.sha256(os.path.join(folder, output)) for output in outputs},
            "versions": {"python": platform.python_version(), "numpy": np.__version__, "pandas": pd.__version__},
        },
    )
    return statistics, (*outputs, files.MANIFEST)


def table_1(prepared: Prepared, name: str) -> dict[str, Any]:
    """Returns Table 1's row. Entities leave the items out, as the paper's counts do; items include the cold ones."""
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
        **({"cold items": len(prepared.cold)} if len(prepared.cold) else {}),
    }
