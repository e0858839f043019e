"""Times of any kind as numbers whose order is theirs."""

from __future__ import annotations

import decimal
from collections.abc import Callable

import numpy as np
import pandas as pd

from katrec.common.command_line import UserError

# Whole numbers beyond this are not told apart by float64.
EXACT = 2.0**53


def ordered(times: pd.Series, place: Callable[[int], str]) -> np.ndarray:
    """Returns times as numbers in the same order: int64, or float64 where they have decimals.

    Understood are numbers, also as text; dates and times of pandas, numpy and the standard library, with zones or
    without (then UTC), also in one column; and ISO 8601 text. Only the order is kept: numbers of two columns cannot be
    compared.

    Args:
      times: the column.
      place: function from a row's number, from 0, to what the message calls it.

    Raises:
      UserError: a time is missing or not understood, or decimals lose the order.
    """
    times = times.reset_index(drop=True)
    missing = missing_ones(times)
    if missing.any():
        raise UserError(f"{place(int(missing.argmax()))}: the time is missing; give it one, or leave the row out")
    if times.dtype.kind in "mM":
        # A column of dates is in one unit and one zone.
        return times.astype("int64").to_numpy()
    if isinstance(times.dtype, pd.PeriodDtype):
        return times.dt.to_timestamp().astype("int64").to_numpy()
    numbers = pd.to_numeric(times, errors="coerce")
    if pd.api.types.is_bool_dtype(numbers):
        raise UserError(f"{place(0)}: the time is {_shown(times, 0)}; give numbers, dates or ISO 8601 text")
    if not numbers.isna().any():
        return _numbers(times, numbers, place)
    dates = as_dates(times)
    if not dates.isna().any():
        return dates.astype("int64").to_numpy()
    neither = (numbers.isna() & dates.isna()).to_numpy()
    if neither.any():
        row = int(neither.argmax())
        raise UserError(
            f"{place(row)}: the time {_shown(times, row)} is neither a finite number, such as seconds since 1970, nor "
            "a date or ISO 8601 text, such as 2020-01-31T12:00:00"
        )
    row = int(dates.isna().argmax())
    raise UserError(
        f"{place(row)}: the time {_shown(times, row)} is a number, others in its column are dates; give one kind"
    )


def earlier(times: pd.Series, until: str, place: Callable[[int], str]) -> np.ndarray:
    """Returns which times are before another one, bool[n].

    Args:
      times: a column that `ordered` understands.
      until: the other one, as text of the same kind.
      place: as in `ordered`.

    Raises:
      UserError: as `ordered`, or `until` is of another kind.
    """
    ordered(times, place)
    together = pd.concat([times.astype(object), pd.Series([until], dtype=object)], ignore_index=True)
    try:
        numbers = ordered(together, place)
    except UserError:
        example = _shown(times.reset_index(drop=True), 0)
        raise UserError(f"{until} is no time of the log's kind, such as {example}; give one as the log does") from None
    return numbers[:-1] < numbers[-1]


def missing_ones(times: pd.Series) -> pd.Series:
    """Returns which times are missing, or blank text."""
    missing = times.isna()
    if times.dtype.kind not in "iufbmM":
        # Only text can be blank; turning millions of numbers into text would take seconds.
        missing |= times.astype(str).str.strip().eq("")
    return missing


def as_dates(times: pd.Series) -> pd.Series:
    """Returns times as dates in UTC, NaT where they are none."""
    return pd.to_datetime(times.astype(object), utc=True, errors="coerce", format="ISO8601")


def _shown(times, row):
    """Returns a time as Python writes it, whose numbers have no type before them, as NumPy's have."""
    time = times[row]
    return repr(time.item() if isinstance(time, np.generic) else time)


def _numbers(times, numbers, place):
    """Returns numbers, which `times` were read as, in their order."""
    if numbers.dtype.kind in "iu":
        return numbers.to_numpy(dtype=np.uint64 if numbers.dtype.kind == "u" else np.int64)
    values = numbers.to_numpy(np.float64)
    infinite = ~np.isfinite(values)
    if infinite.any():
        row = int(infinite.argmax())
        raise UserError(f"{place(row)}: the time {_shown(times, row)} is not a finite number")
    if times.dtype.kind != "f" and np.abs(values).max(initial=0) >= EXACT:
        # Such as nanoseconds with decimals, as text: their ranks keep what float64 would round.
        exact = np.array([decimal.Decimal(str(time).strip()) for time in times], dtype=object)
        return np.unique(exact, return_inverse=True)[1].astype(np.int64)
    return values
