"""Tables of raw ids in memory: checked, and as text."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Optional

import numpy as np
import pandas as pd

from katrec.common.command_line import UserError
from katrec.common.ids import BREAKS, as_text, fault

TRIPLETS, LINKS, TITLES = ("head_id", "relation_id", "tail_id"), ("item_id", "entity_id"), ("item_id", "title")


def place_in_frame(table: str, row: Optional[int]) -> str:
    """Returns what messages call a table in memory, or a row of it; others take such a function as `place`."""
    return table if row is None else f"{table}: row {row}"


def wanted(frame: Optional[pd.DataFrame], title: str, columns: Sequence[str]) -> pd.DataFrame:
    """Returns the columns that are needed, rows numbered from 0; an empty table for None.

    Args:
      frame: a table, or None.
      title: what messages call it.
      columns: the names of the columns.

    Raises:
      UserError: it is no DataFrame, or a column is missing or stands there more than once.
    """
    if frame is None:
        return pd.DataFrame(columns=list(columns), dtype=object)
    if not isinstance(frame, pd.DataFrame):
        raise UserError(f"{title}: a pandas DataFrame is needed, not {type(frame).__name__}")
    for column in columns:
        count = list(frame.columns).count(column)
        if count == 0:
            raise UserError(f"{title}: no column {column!r}; it has {list(frame.columns)}")
        if count > 1:
            raise UserError(f"{title}: the column {column!r} stands there {count} times; keep one of them")
    return frame[list(columns)].reset_index(drop=True)


def texts(
    frame: pd.DataFrame, table: str, place: Callable[[str, Optional[int]], str], breaks: bool = False
) -> pd.DataFrame:
    """Returns a table of ids as text.

    Args:
      frame: columns of ids of any type.
      table: its name.
      place: as `place_in_frame`.
      breaks: whether tabs and line ends are allowed, as in the literals of a graph; items and users are asked for by
        their ids, in lines.

    Raises:
      UserError: a value is no id.
    """
    columns = {}
    for column in frame.columns:
        try:
            columns[column], faults = text_column(frame[column], breaks)
        except TypeError:
            row = next(row for row, value in enumerate(frame[column]) if not isinstance(value, Hashable))
            raise UserError(f"{place(table, row)}: {column} is {frame[column][row]!r}, no single value") from None
        bad = np.flatnonzero(faults != None)  # noqa: E711 (of an array)
        if len(bad):
            raise UserError(f"{place(table, int(bad[0]))}: {column} {faults[bad[0]]}")
    return pd.DataFrame(columns, columns=list(frame.columns), dtype=object)


def text_column(column: pd.Series, breaks: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns a column's ids as text, and what is wrong with each, None where nothing is; object[n] both.

    Args:
      column: ids of any type.
      breaks: as in `texts`.

    Raises:
      TypeError: a value is no single one.
    """
    numbers, distinct = pd.factorize(column, use_na_sentinel=False)
    ids = [as_text(value) for value in distinct]
    faults = [fault(text or "", breaks) for text in ids]
    if not len(numbers):
        return np.empty(0, object), np.empty(0, object)
    return np.array(ids, dtype=object)[numbers], np.array(faults, dtype=object)[numbers]


def check_links(links: pd.DataFrame, place: Callable[[int], str]) -> None:
    """Checks that no item is linked to two entities; the same link twice is one.

    Args:
      links: columns item_id, entity_id; rows are numbered from 0.
      place: function from a row's number to what the message calls it.

    Raises:
      UserError: an item is.
    """
    twice = links.drop_duplicates().duplicated("item_id")
    if twice.any():
        row = twice.index[twice][0]
        raise UserError(
            f"{place(row)}: item {links['item_id'][row]!r} is linked to a second entity, "
            f"{links['entity_id'][row]!r}; keep one link an item"
        )


def check_items(items: Iterable[str], column: str) -> None:
    """Checks ids that become items' own and were allowed more, as entities' are.

    Args:
      items: the ids.
      column: what messages call the column that they are from.

    Raises:
      UserError: one is no item's id.
    """
    for item in items:
        found = fault(item)
        if found:
            raise UserError(f"{column} {found}")


def named_items(titles: pd.DataFrame, place: Callable[[str, Optional[int]], str]) -> pd.DataFrame:
    """Returns the titles as text in one line, the first of each item; arguments and errors as `place_in_frame`."""
    titles = wanted(titles, place("titles", None), TITLES)
    named = texts(titles[["item_id"]], "titles", place)
    named["title"] = [plain(title) for title in titles["title"]]
    return named.drop_duplicates("item_id")


def plain(title: Any) -> str:
    """Returns a title as one line; an empty text for a missing one."""
    text = as_text(title) or ""
    text = "".join(" " if character in BREAKS else character for character in text)
    return text.encode("utf-8", "replace").decode("utf-8").strip()
