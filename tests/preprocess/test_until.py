import pandas as pd
import pytest

from katrec.common.command_line import UserError
from preprocess.tables import before


def place(row):
    return f"row {row}"


@pytest.mark.parametrize(
    "times, until, kept",
    [
        ([3, 1, 2], "3", [1, 2]),
        (["3.5", "1", "20"], "3.6", [0, 1]),
        (pd.to_datetime(["2020-01-02", "2020-03-01", "2019-12-31"]), "2020-02-01", [0, 2]),
        (["2020-01-02T10:00:00Z", "2020-01-02", "2021-01-01"], "2020-01-02T09:00:00", [1]),
    ],
)
def test_only_earlier_interactions_are_kept(times, until, kept):
    frame = pd.DataFrame({"user_id": list("abc"), "timestamp": times})
    left, report = before(frame, until, place)
    assert left["user_id"].tolist() == ["abc"[row] for row in kept]
    assert report[0]["kept"] == len(kept) and report[0]["dropped"] == 3 - len(kept)
    whole, nothing = before(frame, None, place)
    assert len(whole) == 3 and nothing == ()
    # The numbers are those of the whole column.
    assert left["timestamp"].tolist() == [whole["timestamp"][row] for row in kept]


@pytest.mark.parametrize(
    "times, until, message",
    [
        ([1, 2], "2020-01-01", "--until: 2020-01-01 is no time of the log's kind, such as 1; give one as the log does"),
        (["2020-01-01"], "5", "--until: 5 is no time of the log's kind, such as '2020-01-01'"),
        ([5, 6], "5", "--until=5: none of the 2 interactions is earlier"),
        ([5, None], "5", "row 1: the time is missing"),
    ],
)
def test_what_cannot_be_cut_is_said(times, until, message):
    with pytest.raises(UserError, match=message):
        before(pd.DataFrame({"timestamp": times}), until, place)
