"""The tables that every source yields, and how RecBole's atomic files are read into them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
import pandas as pd

from katrec.common.command_line import UserError
from katrec.common.id_tables import LINKS, TRIPLETS, check_links
from katrec.common.times import earlier, ordered

INTERACTION_COLUMNS = ("user_id:token", "item_id:token", "timestamp:float")
TRIPLET_COLUMNS = ("head_id:token", "relation_id:token", "tail_id:token")
LINK_COLUMNS = ("item_id:token", "entity_id:token")


class Tables(NamedTuple):
    """What a source yields. All ids are raw strings.

    Attributes:
      interactions: columns user_id, item_id, timestamp (number); a row each interaction, in file order.
      triplets: columns head_id, relation_id, tail_id; a row each (head, relation, tail) of the knowledge graph.
      links: columns item_id, entity_id: which entity of the graph an item is; an item at most once.
      titles: columns item_id, title, or None.
      files: paths of the files read, for the manifest.
      report: one dict for each filter of the source, as in `preprocess.pipeline.Prepared`.
    """

    interactions: pd.DataFrame
    triplets: pd.DataFrame
    links: pd.DataFrame
    titles: Optional[pd.DataFrame]
    files: tuple[str, ...]
    report: tuple[dict[str, Any], ...] = ()


def read_atomic(folder: str, name: str, until: Optional[str] = None) -> Tables:
    """Reads `name`.inter and, where there are such, .kg, .link and .item from `folder`.

    Without .kg and .link the data set has no knowledge graph.

    Args:
      folder: where they are.
      name: how they begin.
      until: as in `before`.

    Raises:
      UserError: a file is missing, has another header, a ragged line, an empty id or a time that is not understood, or
        an item is linked to two entities.
    """
    path = os.path.join(folder, name)
    files = [path + ".inter"]
    interactions = read_columns(path + ".inter", INTERACTION_COLUMNS)
    interactions, report = before(interactions, until, lambda row: f"{path}.inter: line {row + 2}")
    triplets, links = (pd.DataFrame(columns=list(columns), dtype=object) for columns in (TRIPLETS, LINKS))
    if os.path.exists(path + ".kg") or os.path.exists(path + ".link"):
        triplets = read_columns(path + ".kg", TRIPLET_COLUMNS)
        links = read_columns(path + ".link", LINK_COLUMNS)
        check_links(links, lambda row: f"{path}.link: line {row + 2}")
        files += [path + ".kg", path + ".link"]
    titles = None
    if os.path.exists(path + ".item"):
        titles = _read_titles(path + ".item")
        files.append(path + ".item")
    return Tables(interactions, triplets, links.drop_duplicates(), titles, tuple(files), report)


def before(
    interactions: pd.DataFrame, until: Optional[str], place: Callable[[int], str]
) -> tuple[pd.DataFrame, tuple[dict[str, Any], ...]]:
    """Returns the interactions, their times as numbers, and what is reported: those before a time, or all.

    Args:
      interactions: a column timestamp, as `katrec.common.times.ordered` understands it, and others.
      until: the time, of the same kind; None for all.
      place: function from a row's number to what the messages call it.

    Raises:
      UserError: a time is not understood, or no interaction is before `until`.
    """
    times = interactions["timestamp"]
    numbered = interactions.assign(timestamp=ordered(times, place))
    if until is None:
        return numbered, ()
    try:
        kept = earlier(times, until, place)
    except UserError as error:
        raise UserError(f"--until: {error}") from None
    if not kept.any():
        raise UserError(f"--until={until}: none of the {len(kept):,} interactions is earlier")
    row = {"step": f"interactions before {until}", "kept": int(kept.sum()), "dropped": int((~kept).sum())}
    return numbered[kept].reset_index(drop=True), (row,)


def read_columns(path: str, columns: Sequence[str]) -> pd.DataFrame:
    """Returns the named columns of a tab-separated file as strings, without their types.

    Args:
      path: a file whose first line names the columns as `name:type`.
      columns: the columns wanted, as they stand in the first line; others are passed over.

    Raises:
      UserError: names file and line of the first fault.
    """
    header = _read_strings(path, nrows=0).columns
    missing = [column for column in columns if column not in header]
    if missing:
        raise UserError(
            f"{path}: line 1: no column {missing[0]!r}; the header is {list(header)}, "
            f"it needs {list(columns)} separated by tabs"
        )
    table = _read_strings(path)[list(columns)].fillna("")
    for column in columns:
        empty = (table[column] == "").to_numpy()
        if empty.any():
            # The header is line 1.
            raise UserError(f"{path}: line {int(np.argmax(empty)) + 2}: column {column!r} is empty or missing")
    table.columns = [column.split(":")[0] for column in columns]
    return table


def _read_strings(path, **kwargs):
    try:
        with warnings.catch_warnings():
            # pandas only warns where every row has a field more than the header.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path,
                sep="\t",
                dtype=str,
                quoting=3,
                keep_default_na=False,
                skip_blank_lines=False,
                index_col=False,
                encoding="utf-8",
                on_bad_lines="error",
                **kwargs,
            )
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; --raw_dir must hold NAME.inter and, for a knowledge graph, NAME.kg and NAME.link"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except pd.errors.EmptyDataError:
        raise UserError(f"{path}: line 1: the file is empty, a header is needed") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 ({error.reason}); convert it, for example with iconv") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = _first_ragged_line(path) or str(error).split("C error: ")[-1].strip()
        raise UserError(f"{path}: {reason} (a ragged line)") from None


def _first_ragged_line(path):
    """Returns which line has other than the header's number of fields, or None."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="\n") as file:
        wanted = file.readline().count("\t") + 1
        for number, line in enumerate(file, start=2):
            if line.count("\t") + 1 != wanted:
                return f"line {number} has {line.count(chr(9)) + 1} fields, the header {wanted}"
    return None


def _read_titles(path):
    table = _read_strings(path)
    column = next((c for c in table.columns if c.split(":")[0] in ("title", "movie_title", "item_name", "name")), None)
    if column is None or "item_id:token" not in table.columns:
        return None
    titles = table[["item_id:token", column]].fillna("").drop_duplicates("item_id:token")
    return titles.set_axis(["item_id", "title"], axis=1)
