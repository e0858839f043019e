"""From tables in memory to a prepared data set on disk."""

from __future__ import annotations

import os
from typing import Any, Optional

import numpy as np
import pandas as pd

from katrec.common import files
from katrec.common.command_line import UserError
from preprocess import catalog
from preprocess.pipeline import Prepared, Settings, prepare
from preprocess.tables import Tables, check_links
from preprocess.writer import write


def prepare_frames(
    name: str,
    interactions: pd.DataFrame,
    triplets: Optional[pd.DataFrame] = None,
    links: Optional[pd.DataFrame] = None,
    titles: Optional[pd.DataFrame] = None,
    datasets_dir: str = "datasets",
    settings: Settings = Settings(),  # noqa: B008 (a NamedTuple does not change)
) -> dict[str, Any]:
    """Prepares a data set from DataFrames and writes it to `datasets_dir`/`name`.

    Args:
      name: the data set's name.
      interactions: columns user_id, item_id, timestamp (a number, or a date); other columns are passed over.
      triplets: columns head_id, relation_id, tail_id, or None for no knowledge graph.
      links: columns item_id, entity_id: which entity an item is; None where the triplets name items by their own ids.
      titles: columns item_id, title, or None.
      datasets_dir: folder of the prepared data sets.
      settings: `preprocess.pipeline.Settings`, the filters.

    Returns:
      Table 1's numbers of the prepared data set, a dict.

    Raises:
      UserError: a column is missing or has an empty value, a time is no number, or nothing is left after the filters.
    """
    interactions = _frame(interactions, "interactions", ("user_id", "item_id", "timestamp"))
    triplets = _strings(triplets, "triplets", ("head_id", "relation_id", "tail_id"))
    times = interactions["timestamp"]
    if pd.api.types.is_datetime64_any_dtype(times):
        times = (pd.to_datetime(times, utc=True) - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    times = pd.to_numeric(times, errors="coerce")
    if not np.isfinite(times.to_numpy(float)).all():
        row = int(np.argmin(np.isfinite(times.to_numpy(float))))
        value = interactions["timestamp"].iloc[row]
        raise UserError(f"interactions: row {row}: timestamp {value!r} is no finite number")
    ids = _strings(interactions, "interactions", ("user_id", "item_id")).assign(timestamp=times.to_numpy())
    if links is None:
        items = ids["item_id"].unique()
        links = pd.DataFrame({"item_id": items, "entity_id": items})
    links = _strings(links, "links", ("item_id", "entity_id"))
    check_links(links, lambda row: f"links: row {row}")
    if titles is not None:
        titles = _strings(titles, "titles", ("item_id", "title")).drop_duplicates("item_id")
    folder = os.path.join(datasets_dir, name)
    tables = Tables(ids, triplets, links.drop_duplicates(), titles, ())
    return prepare_and_write(tables, settings, folder, name, "frames", catalog.licence("frames"))[1]


def prepare_and_write(
    tables: Tables, settings: Settings, folder: str, name: str, source: str, licence: str
) -> tuple[Prepared, dict[str, Any]]:
    """Runs the pipeline and writes the prepared files.

    Args:
      tables: `Tables`.
      settings: `Settings`.
      folder: where to.
      name: the data set's name.
      source: what the manifest calls the source.
      licence: the raw data's terms, for the manifest.

    Returns:
      `Prepared`, and Table 1's numbers.
    """
    prepared = prepare(tables, settings)
    return prepared, write(
        prepared,
        folder,
        name,
        {
            "source": source,
            "licence": licence,
            "settings": settings._asdict(),
            "inputs": {os.path.basename(path): files.sha256(path) for path in tables.files},
        },
    )


def _frame(frame, title, columns):
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise UserError(f"{title}: no column {missing[0]!r}; it has {list(frame.columns)}")
    return frame[list(columns)].reset_index(drop=True)


def _strings(frame, title, columns):
    """Returns the columns as strings; an empty table for None."""
    if frame is None:
        return pd.DataFrame(columns=columns, dtype=object)
    frame = _frame(frame, title, columns)
    for column in columns:
        empty = frame[column].isna() | (frame[column].astype(str) == "")
        if empty.any():
            raise UserError(f"{title}: row {int(np.argmax(empty))}: {column} is empty")
    return frame.astype(str).astype(object)
