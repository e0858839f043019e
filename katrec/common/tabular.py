"""Tables in files that people have: CSV, TSV or Parquet, compressed or not."""

from __future__ import annotations

import os
import warnings
from typing import Optional

import pandas as pd

from katrec.common.command_line import UserError, reason

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".tab": "\t"}
PACKED = (".gz", ".bz2", ".xz", ".zip", ".zst")


def readable() -> tuple[str, ...]:
    """Returns the endings that are understood, before that of a packed file."""
    return (*SEPARATORS, ".parquet")


def read(path: str, rows: Optional[int] = None) -> pd.DataFrame:
    """Returns a file's table, or only so many rows of a text file; all columns of a text file are text.

    Raises:
      UserError: it cannot be read.
    """
    ending = ending_of(path)
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
                nrows=rows,
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


def ending_of(path: str) -> str:
    """Returns the ending before that of a packed file, in small letters."""
    stem, ending = os.path.splitext(path.lower())
    return os.path.splitext(stem)[1] if ending in PACKED else ending
