"""Tables that people have: CSV, TSV or Parquet, compressed or not, with columns of any names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Optional

import numpy as np
import pandas as pd

from katrec.common.command_line import FlagError, UserError
from katrec.common.tabular import PACKED, ending_of, read, readable
from preprocess.frames import frame_tables
from preprocess.sources import Options
from preprocess.tables import Tables

# What a column is called in the project's tables, and the flag that says what it is called in the user's.
COLUMNS = {
    "interactions": {"user_id": "user_column", "item_id": "item_column", "timestamp": "time_column"},
    "triplets": {"head_id": "head_column", "relation_id": "relation_column", "tail_id": "tail_column"},
    "links": {"item_id": "item_column", "entity_id": "entity_column"},
    "titles": {"item_id": "item_column", "title": "title_column"},
}


def load(name: str, raw_dir: Optional[str], options: Options) -> Tables:
    """Reads the files that `options.files` names, relative to `raw_dir` where that is given.

    A folder of files is one table, its parts in the order of their names. Without triplets the data set has no
    knowledge graph; without links the triplets name items by their own ids.

    Raises:
      FlagError: no interactions are named, or links without triplets.
      UserError: a file cannot be read, or has no column of the wanted name; as `preprocess.frames.frame_tables`.
    """
    paths = located(raw_dir, options)
    read_tables = {table: [read_part(path, table, options) for path in one] for table, one in paths.items()}
    place = places(paths, {table: [len(frame) for frame in one] for table, one in read_tables.items()})
    frames = {table: pd.concat(one, ignore_index=True) for table, one in read_tables.items()}
    return frame_tables(**frames, place=place, until=options.until)._replace(
        files=tuple(path for one in paths.values() for path in one)
    )


def places(
    paths: Mapping[str, Sequence[str]], lengths: Mapping[str, Sequence[int]]
) -> Callable[[str, Optional[int]], str]:
    """Returns what messages call a table, or a row of it, from 0 over all its files, as `frame_tables` wants it.

    Args:
      paths: the files of each table.
      lengths: rows of each file.
    """

    def place(table: str, row: Optional[int]) -> str:
        if row is None or table not in paths:
            return paths[table][0] if table in paths else table
        return placed(paths[table], lengths[table], row)

    return place


def located(raw_dir: Optional[str], options: Options) -> dict[str, list[str]]:
    """Returns the files of each table, in their order.

    Raises:
      FlagError: as `load`.
      UserError: a folder has no file of a known ending, or an ending is not known.
    """
    if "interactions" not in options.files:
        raise FlagError("--source=tables needs --interactions, a CSV, TSV or Parquet file, or a folder of them")
    if "links" in options.files and "triplets" not in options.files:
        raise FlagError("--links goes with --triplets")
    return {table: _parts(os.path.join(raw_dir or "", path)) for table, path in options.files.items()}


def _parts(path):
    known = readable()
    if os.path.isdir(path):
        # Spark and others leave _SUCCESS and hidden files beside the parts.
        names = sorted(name for name in os.listdir(path) if name[0] not in "._")
        path, parts = os.path.join(path, ""), [os.path.join(path, name) for name in names]
    else:
        parts = [path]
    wrong = [part for part in parts if ending_of(part) not in known]
    if wrong or not parts:
        raise UserError(
            f"{wrong[0] if wrong else path}: the ending says what a file is: {', '.join(known)}; a text file may be "
            f"packed ({PACKED[0]} …)"
        )
    return parts


def placed(paths: Sequence[str], lengths: Sequence[int], row: int) -> str:
    """Returns what messages call a row of a table.

    Args:
      paths: the table's files.
      lengths: rows of each.
      row: from 0, over all of them.
    """
    ends = np.cumsum(lengths)
    part = int(np.searchsorted(ends, row, side="right"))
    row -= int(ends[part] - lengths[part])
    return f"{paths[part]}: row {row}" if ending_of(paths[part]) == ".parquet" else f"{paths[part]}: line {row + 2}"


def read_part(path: str, table: str, options: Options) -> pd.DataFrame:
    """Returns a file's wanted columns under the project's names; arguments and errors as in `named_columns`."""
    frame = read(path)
    names = named_columns(path, table, options, list(frame.columns))
    return frame[list(names.values())].set_axis(list(names), axis=1)


def named_columns(path: str, table: str, options: Options, found: Sequence[str]) -> dict[str, str]:
    """Returns {the project's name: the file's name} of the columns that are needed.

    Args:
      path: the file.
      table: which table it is of.
      options: the command line's.
      found: the file's columns.

    Raises:
      UserError: one is missing.
    """
    names = {}
    for column, flag in COLUMNS[table].items():
        names[column] = options.columns.get(flag, column)
        if names[column] not in found:
            raise UserError(f"{path}: no column {names[column]!r}; it has {list(found)}; --{flag} says which is meant")
    return names
