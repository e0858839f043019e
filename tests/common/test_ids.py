import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from katrec.common import files
from katrec.common.ids import BREAKS, alike, as_text, escape, fault, pack, split, unescape

ids = st.text(min_size=1).filter(lambda text: fault(text) is None)


@pytest.mark.parametrize("value", [3, 3.0, "3", b"3", np.int64(3), np.float32(3), np.str_("3")])
def test_one_id_in_many_types(value):
    assert as_text(value) == "3"


@pytest.mark.parametrize("value", [None, float("nan"), np.nan, float("inf")])
def test_missing_ids(value):
    assert as_text(value) is None


def test_other_values_are_their_text():
    assert [as_text(value) for value in (3.5, "03", "a b", True, -2.0)] == ["3.5", "03", "a b", "True", "-2"]


@pytest.mark.parametrize("text", [f"a{character}b" for character in BREAKS] + ["", "a\udc80"])
def test_what_no_id_may_be(text):
    assert fault(text)
    if text and text != "a\udc80":
        assert fault(text, breaks=True) is None


@given(st.text())
def test_escapes_are_undone_and_break_no_line(text):
    escaped = escape(text)
    assert unescape(escaped) == text
    assert not any(character in escaped for character in BREAKS)
    assert len(f"{escaped}\tx".splitlines()) == 1


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_a_table_gives_back_its_fields(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "table.tsv"
    files.write_columns(path, {"a": rows, "b": rows[::-1]})
    assert (files.read_column(path, "a"), files.read_column(path, "b")) == (rows, rows[::-1])


@given(st.lists(ids))
def test_packed_ids_come_back(texts):
    assert unpacked(texts) == texts


def unpacked(texts):
    from katrec.common.ids import unpack

    return unpack(*pack(texts))


@given(st.lists(ids.filter(lambda text: text == text.strip())))
def test_a_history_as_csv_writes_it_is_read(texts):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(texts)
    assert split(file.getvalue().rstrip("\n")) == texts


@pytest.mark.parametrize(
    "text, expected",
    [
        (" i1, i2 ,,i3", ["i1", "i2", "i3"]),
        ('"p,03",p04', ["p,03", "p04"]),
        ('"a""b" , " c "', ['a"b', " c "]),
        ('5" screen,x', ['5" screen', "x"]),
        ("", []),
        ("p01;p02", ["p01;p02"]),
    ],
)
def test_histories_by_hand(text, expected):
    assert split(text) == expected


def test_what_looks_alike():
    assert len({alike(text) for text in ("3", "3.0", '"3"', " 3 ", "'3.00'")}) == 1
    assert alike("3") != alike("30") and alike("v1.0") != alike("v1")
