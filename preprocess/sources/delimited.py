"""Tables that people have: CSV, TSV or Parquet, compressed or not, with columns of any names."""

from __future__ import annotations

import os
import warnings
from typing import Optional

import pandas as pd

from katrec.common.command_line import FlagError, UserError, reason
from preprocess.frames import frame_tables
from preprocess.sources import Options
from preprocess.tables import Tables

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".tab": "\t"}
PACKED = (".gz", ".bz2", ".xz", ".zip", ".zst")
# What a column is called in the project's tables, and the flag that says what it is called in the user's.
COLUMNS = {
    "interactions": {"user_id": "user_column", "item_id": "item_column", "timestamp": "time_column"},
    "triplets": {"head_id": "head_column", "relation_id": "relation_column", "tail_id": "tail_column"},
    "links": {"item_id": "item_column", "entity_id": "entity_column"},
    "titles": {"item_id": "item_column", "title": "title_column"},
}


def load(name: str, raw_dir: Optional[str], options: Options) -> Tables:
    """Reads the files that `options.files` names, relative to `raw_dir` where that is given.

    Without triplets the data set has no knowledge graph; without links the triplets name items by their own ids.

    Raises:
      FlagError: no interactions are named, or links without triplets.
      UserError: a file cannot be read, or has no column of the wanted name; as `preprocess.frames.frame_tables`.
    """
    if "interactions" not in options.files:
        raise FlagError("--source=tables needs --interactions, a CSV, TSV or Parquet file")
    if "links" in options.files and "triplets" not in options.files:
        raise FlagError("--links goes with --triplets")
    paths = {table: os.path.join(raw_dir or "", path) for table, path in options.files.items()}
    frames = {table: _renamed(read(path), path, COLUMNS[table], options.columns) for table, path in paths.items()}

    def place(table: str, row: Optional[int]) -> str:
        path = paths.get(table, table)
        if row is None:
            return path
        return f"{path}: row {row}" if _ending(path) == ".parquet" else f"{path}: line {row + 2}"

    return frame_tables(**frames, place=place)._replace(files=tuple(paths.values()))


def read(path: str) -> pd.DataFrame:
    """Returns a file's table; all columns of a text file are text.

    Raises:
      UserError: its ending is not known, or it cannot be read.
    """
    ending = _ending(path)
    if ending != ".parquet" and ending not in SEPARATORS:
        known = ", ".join([*SEPARATORS, ".parquet"])
        raise UserError(f"{path}: the ending says what a file is: {known}; a text file may be packed ({PACKED[0]} …)")
    try:
        if ending == ".parquet":
            return pd.read_parquet(path)
        with warnings.catch_warnings():
            # pandas only warns where every row has a field more than the header.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path,
                sep=SEPARATORS[ending],
                dtype=str,
                keep_default_na=False,
                index_col=False,
                encoding="utf-8-sig",
                skip_blank_lines=False,
            )
    except ImportError:
        raise UserError(f"{path}: Parquet files need the package pyarrow; install katrec[parquet]") from None
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 ({error.reason}); convert it, for example with iconv") from None
    except pd.errors.EmptyDataError:
        raise UserError(f"{path}: line 1: the file is empty, a header is needed") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise UserError(f"{path}: {str(error).split('C error: ')[-1].strip()} (a ragged line)") from None
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({reason(error)})") from None


def _ending(path):
    """Returns the ending before that of a packed file, in small letters."""
    stem, ending = os.path.splitext(path.lower())
    return os.path.splitext(stem)[1] if ending in PACKED else ending


def _renamed(frame, path, columns, names):
    """Returns a table's wanted columns under the project's names."""
    for column, flag in columns.items():
        wanted = names.get(flag, column)
        if wanted not in frame.columns:
            raise UserError(f"{path}: no column {wanted!r}; it has {list(frame.columns)}; --{flag} says which is meant")
    return frame[[names.get(flag, column) for column, flag in columns.items()]].set_axis(list(columns), axis=1)
