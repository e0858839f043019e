import pytest

from katrec.common.command_line import UserError
from preprocess.tables import read_atomic
from tests import tiny


@pytest.fixture
def raw(tmp_path):
    return tiny.write_atomic(tmp_path / "raw")


def change(path, line, text):
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")


def test_ids_are_strings_and_files_are_named(raw):
    change(raw / "tiny.inter", 2, "u0\t0553\t5\t3.5")
    tables = read_atomic(str(raw), "tiny")
    assert tables.interactions["item_id"][0] == "0553"
    assert tables.interactions["timestamp"][0] == 3.5
    assert [path.rsplit(".")[-1] for path in tables.files] == ["inter", "kg", "link", "item"]
    assert tables.titles["title"][3] == "Film 3"


def test_words_that_mean_missing_elsewhere_are_ids(raw):
    change(raw / "tiny.inter", 2, "NA\tnull\t5\t3")
    assert read_atomic(str(raw), "tiny").interactions.iloc[0].tolist() == ["NA", "null", 3]


FAULTS = {
    "missing file": ("kg", None, None, r"tiny\.kg: no such file; --raw_dir must hold"),
    "wrong header": ("inter", 1, "user\titem\ttime", r"tiny\.inter: line 1: no column 'user_id:token'"),
    "too many fields": ("inter", 5, "u0\ti1\t5\t3\t9", r"tiny\.inter: .*line 5.*ragged"),
    "too few fields": ("inter", 5, "u0\ti1", r"tiny\.inter: line 5: column 'timestamp:float' is empty"),
    "blank line": ("kg", 4, "", r"tiny\.kg: line 4"),
    "empty id": ("inter", 6, "\ti1\t5\t3", r"tiny\.inter: line 6: column 'user_id:token' is empty"),
    "no number": ("inter", 7, "u0\ti1\t5\tmonday", r"tiny\.inter: line 7: .*'monday' is neither a finite number"),
    "not finite": ("inter", 7, "u0\ti1\t5\tinf", r"tiny\.inter: line 7: .*'inf' is not a finite number"),
    "linked twice": ("link", 3, "i0\tm.9", r"tiny\.link: line 3: item 'i0' is linked to a second entity, 'm\.9'"),
}


@pytest.mark.parametrize("ending, line, text, message", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named(raw, ending, line, text, message):
    path = raw / f"tiny.{ending}"
    if line is None:
        path.unlink()
    else:
        change(path, line, text)
    with pytest.raises(UserError, match=message) as error:
        read_atomic(str(raw), "tiny")
    assert "\n" not in str(error.value)


def test_an_empty_file_is_named(raw):
    (raw / "tiny.link").write_text("")
    with pytest.raises(UserError, match=r"tiny\.link: line 1: the file is empty"):
        read_atomic(str(raw), "tiny")


def test_other_encodings_are_named(raw):
    (raw / "tiny.kg").write_bytes("head_id:token\trelation_id:token\ttail_id:token\né\tr\tt\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"tiny\.kg: not UTF-8"):
        read_atomic(str(raw), "tiny")


def test_a_link_that_is_repeated_is_one_link(raw):
    change(raw / "tiny.link", 3, "i0\tm.0")
    assert (read_atomic(str(raw), "tiny").links["item_id"] == "i0").sum() == 1


def test_a_header_that_is_too_short_is_named(raw):
    lines = (raw / "tiny.link").read_text().splitlines()
    (raw / "tiny.link").write_text("\n".join([lines[0], *(line + "\tmore" for line in lines[1:])]))
    with pytest.raises(UserError, match=r"tiny\.link: .*ragged"):
        read_atomic(str(raw), "tiny")
