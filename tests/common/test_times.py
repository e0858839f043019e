"""Times of any kind keep their order, or are refused."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from katrec.common.command_line import UserError
from katrec.common.times import ordered


def place(row):
    return f"row {row}"


def order(times):
    """Which of the times come after which: equal times have equal numbers."""
    return np.unique(ordered(pd.Series(times), place), return_inverse=True)[1].tolist()


BERLIN = datetime.timezone(datetime.timedelta(hours=1))
# Three times of which the first is the latest and the others are equal but for the last digit.
KINDS = {
    "integers": [10, 9, 8],
    "integers as text": ["10", "9", "8"],
    "text with spaces": [" 10", "9 ", "8"],
    "bytes": [b"10", b"9", b"8"],
    "floats": [1.5, 1.25, 1.0],
    "floats as text": ["1.5", "1.25", "1e0"],
    "decimals": [decimal.Decimal("1.5"), decimal.Decimal("1.25"), decimal.Decimal(1)],
    "nanoseconds": [1600000000000000003, 1600000000000000002, 1600000000000000001],
    "nanoseconds as text": ["1600000000000000003", "1600000000000000002", "1600000000000000001"],
    "nanoseconds with decimals": ["1600000000000000003.5", "1600000000000000003", "1600000000000000002.5"],
    "beyond 64 bits": [2**70 + 2, 2**70 + 1, 2**70],
    "date objects": [datetime.date(2020, 1, 3), datetime.date(2020, 1, 2), datetime.date(2019, 12, 31)],
    "dates as text": ["2020-01-03", "2020-01-02", "2019-12-31"],
    "ISO text": ["2020-01-01T00:00:02Z", "2020-01-01T00:00:01Z", "2019-12-31T23:59:59Z"],
    "ISO text with zones": ["2020-01-01T02:00:00+00:00", "2020-01-01T02:00:00+01:00", "2020-01-01T02:00:00+02:00"],
    "pandas' dates": pd.to_datetime(["2020-01-03", "2020-01-02", "2020-01-01"]),
    "pandas' dates with a zone": pd.to_datetime(["2020-01-03", "2020-01-02", "2020-01-01"]).tz_localize("UTC"),
    "objects of two zones": [
        datetime.datetime(2020, 1, 1, 2, tzinfo=datetime.timezone.utc),
        datetime.datetime(2020, 1, 1, 2, tzinfo=BERLIN),
        datetime.datetime(2020, 1, 1, 0),
    ],
    "durations": pd.to_timedelta([3, 2, 1], unit="s"),
    "periods": pd.PeriodIndex(["2020-03", "2020-02", "2020-01"], freq="M"),
    "categories": pd.Categorical(["10", "9", "8"]),
    "nullable integers": pd.array([10, 9, 8], dtype="Int64"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_is_kept(kind):
    assert order(KINDS[kind]) == [2, 1, 0]


@pytest.mark.parametrize(
    "times, message",
    [
        ([1, None], "row 1: the time is missing"),
        ([pd.Timestamp(0), pd.NaT], "row 1: the time is missing"),
        (["2020-01-01", " "], "row 1: the time is missing"),
        ([1.0, float("nan")], "row 1: the time is missing"),
        ([1.0, float("inf")], "row 1: the time inf is not a finite number"),
        (["1", "monday"], "row 1: the time 'monday' is neither a finite number, such as seconds since 1970"),
        (["1", "0x10"], "row 1: the time '0x10' is neither"),
        (["1,000", "2"], "row 0: the time '1,000' is neither"),
        (["1600000000", "2020-01-01"], "row 0: the time '1600000000' is a number, others"),
        (["01/02/2020"], "row 0: the time '01/02/2020' is neither"),
        ([True, False], "row 0: the time is True"),
    ],
)
def test_what_is_not_understood_is_refused(times, message):
    with pytest.raises(UserError, match=message) as error:
        ordered(pd.Series(times), place)
    assert "\n" not in str(error.value)


def test_an_empty_column_is_empty():
    assert len(ordered(pd.Series([], dtype=object), place)) == 0


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers_in_any_clothes(numbers):
    expected = np.unique(numbers, return_inverse=True)[1].tolist()
    assert order(numbers) == order([str(number) for number in numbers]) == expected


@given(st.lists(st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2200, 1, 1)), min_size=1))
def test_dates_in_any_clothes(dates):
    # A year alone would be a number.
    expected = np.unique(np.array(dates, dtype="datetime64[us]"), return_inverse=True)[1].tolist()
    assert order([date.isoformat() for date in dates]) == order(dates) == expected
    assert order(pd.to_datetime(dates)) == expected
