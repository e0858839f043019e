"""From tables in memory to a prepared data set on disk."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Optional

import numpy as np
import pandas as pd

from katrec.common import files
from katrec.common.command_line import UserError
from katrec.common.id_tables import LINKS, TRIPLETS, check_links, named_items, place_in_frame, texts, wanted
from preprocess import catalog
from preprocess.pipeline import Prepared, Settings, prepare
from preprocess.tables import Tables, before
from preprocess.writer import write

INTERACTIONS = ("user_id", "item_id", "timestamp")


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

    Ids may be text, numbers or bytes: 3, 3.0 and "3" are one id. What was lost on the way is said by `UserWarning`s.

    Args:
      name: the data set's name.
      interactions: columns user_id, item_id, timestamp (numbers, dates or ISO 8601 text; docs/data.md); others are
        passed over.
      triplets: columns head_id, relation_id, tail_id, or None for no knowledge graph.
      links: columns item_id, entity_id: which entity an item is; None where the triplets name items by their own ids.
      titles: columns item_id, title, or None; a title may be missing.
      datasets_dir: folder of the prepared data sets.
      settings: `preprocess.pipeline.Settings`, the filters.

    Returns:
      Table 1's numbers of the prepared data set, a dict.

    Raises:
      UserError: a column is missing or has an empty value, a time is not understood, an id holds a tab or a line end,
        or nothing is left after the filters.
    """
    check_name(name)
    tables = frame_tables(interactions, triplets, links, titles)
    folder = os.path.join(datasets_dir, name)
    prepared, statistics = prepare_and_write(tables, settings, folder, name, "frames", catalog.licence("frames"))
    for message in prepared.warnings:
        warnings.warn(message, UserWarning, stacklevel=2)
    return statistics


def check_name(name: str) -> None:
    """Checks that a data set's name is no path.

    Raises:
      UserError: it is one, or empty.
    """
    if not isinstance(name, str) or not name or name != os.path.basename(name) or name.startswith("."):
        raise UserError(f"the data set's name is {name!r}: give a plain name, not a path; datasets_dir says where")


def frame_tables(
    interactions: pd.DataFrame,
    triplets: Optional[pd.DataFrame] = None,
    links: Optional[pd.DataFrame] = None,
    titles: Optional[pd.DataFrame] = None,
    place: Callable[[str, Optional[int]], str] = place_in_frame,
    until: Optional[str] = None,
) -> Tables:
    """Returns DataFrames, as `prepare_frames` takes them, as `Tables`.

    Args:
      interactions: as all but the last as in `prepare_frames`.
      triplets: as there.
      links: as there.
      titles: as there.
      place: function from a table's name and a row's number, or None, to what the messages call it.
      until: as in `preprocess.tables.before`.

    Raises:
      UserError: as there.
    """
    frame = wanted(interactions, place("interactions", None), INTERACTIONS)
    ids = texts(frame[["user_id", "item_id"]], "interactions", place)
    items = ids["item_id"].unique()
    ids["timestamp"] = frame["timestamp"]
    ids, report = before(ids, until, lambda row: place("interactions", row))
    graph = texts(wanted(triplets, place("triplets", None), TRIPLETS), "triplets", place, breaks=True)
    links = linked_items(items, links, place)
    return Tables(ids, graph, links, None if titles is None else named_items(titles, place), (), report)


def linked_items(items: np.ndarray, links: Optional[pd.DataFrame], place: Callable[[str, Optional[int]], str]) -> Any:
    """Returns the links as text, each once; without any, an item is the entity of its own id.

    Args:
      items: raw ids of all items, each once.
      links: as in `prepare_frames`, or None.
      place: as in `frame_tables`.

    Raises:
      UserError: as there.
    """
    if links is None:
        return pd.DataFrame({"item_id": items, "entity_id": items})
    links = texts(wanted(links, place("links", None), LINKS), "links", place, breaks=True)
    check_links(links, lambda row: place("links", row))
    return links.drop_duplicates()


def prepare_and_write(
    tables: Tables, settings: Settings, folder: str, name: str, source: str, licence: str
) -> tuple[Prepared, dict[str, Any]]:
    """Runs the pipeline and writes the prepared files.

    Args:
      tables: the raw tables.
      settings: the filters.
      folder: where to.
      name: the data set's name.
      source: what the manifest calls the source.
      licence: the raw data's terms, for the manifest.

    Returns:
      The prepared data set, and Table 1's numbers.
    """
    prepared = prepare(tables, settings)
    return prepared, write(prepared, folder, name, origin(tables.files, settings, source, licence))


def origin(paths: Sequence[str], settings: Settings, source: str, licence: str) -> dict[str, Any]:
    """Returns what a manifest says of where a data set comes from.

    Args:
      paths: the raw files.
      settings: as all that follows as in `prepare_and_write`.
      source: as there.
      licence: as there.
    """
    return {
        "source": source,
        "licence": licence,
        "settings": settings._asdict(),
        "inputs": {_file_name(path, paths): files.sha256(path) for path in paths},
    }


def _file_name(path, paths):
    """Returns what the manifest calls a file: its name, or where others have it, its folder's before it."""
    name = os.path.basename(path)
    alone = [os.path.basename(other) for other in paths].count(name) == 1
    return name if alone else os.path.join(os.path.basename(os.path.dirname(path)), name)
