"""The parsers of the paper's raw files, on small files in their exact formats."""

import gzip
import json
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from katrec.common.command_line import UserError
from katrec.data.dataset import load
from preprocess import pipeline, streaming, writer
from preprocess.k_core import core_rows
from preprocess.sources import Options, amazon_book, freebase, kb4rec, kgat, lastfm, yelp2018
from preprocess.streaming import Damage, core, filtered
from preprocess.tables import read_atomic
from tests.reliability import fuzz
from tests.tiny import write_atomic as write_tiny


def rows_of(read, path, max_share=1.0):
    """All rows of a file and the report's row."""
    damage = Damage(str(path), max_share)
    frames = list(read(str(path), damage))
    columns = ["user_id", "item_id", "timestamp"]
    return [tuple(row) for frame in frames for row in frame[columns].itertuples(index=False)], damage.check()


AMAZON = b"""A1,0553092626,5.0,1400000000
A2,0553092626,1.0,1400000001
A1,B000XYZ,4.0,not a number
A3,\xff\xfe12,4.0,1400000002
A3,0000000001,4.0
A3,0000000001,4.0,1400000003,6
,0000000001,4.0,1400000003

A4,NA,2.0,1400000004
A5,"quoted,3.0,1400000005
A6,0000000001,3.0,inf
"""


@pytest.mark.parametrize("block_bytes", [1, 40, 1 << 20])
def test_amazon(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr(streaming, "BLOCK_BYTES", block_bytes)
    path = tmp_path / amazon_book.FILE
    path.write_bytes(AMAZON)
    rows, report = rows_of(amazon_book.read, path)
    assert rows == [
        ("A1", "0553092626", 1400000000.0),
        ("A2", "0553092626", 1400000001.0),
        ("A4", "NA", 1400000004.0),
        ("A5", '"quoted', 1400000005.0),
    ]
    assert report == {"step": "damaged rows of ratings_Books.csv", "before": 11, "kept": 4, "dropped": 7}


def test_a_file_without_a_last_line_end_and_gzip(tmp_path):
    for path, opened in ((tmp_path / "a.csv", open), (tmp_path / "a.csv.gz", gzip.open)):
        with opened(path, "wb") as file:
            file.write(b"A1,1,5.0,1\nA2,2,5.0,2")
        assert rows_of(amazon_book.read, path)[0] == [("A1", "1", 1.0), ("A2", "2", 2.0)]
    (tmp_path / "empty.csv").write_bytes(b"")
    assert rows_of(amazon_book.read, tmp_path / "empty.csv")[0] == []


def test_too_many_damaged_rows_name_the_first(tmp_path):
    path = tmp_path / amazon_book.FILE
    path.write_bytes(b"A1,1,5.0,1\n" * 998 + b"A1,1,5.0\n" * 2)
    assert rows_of(amazon_book.read, path, 0.002)[1]["dropped"] == 2
    with pytest.raises(UserError, match=r"ratings_Books.csv: line 999: 'A1,1,5.0' is damaged, one of 2 of 1000 rows"):
        rows_of(amazon_book.read, path, 0.001)
    with pytest.raises(UserError, match="no such file"):
        rows_of(amazon_book.read, tmp_path / "none.csv")
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(gzip.compress(AMAZON)[:-9])
    with pytest.raises(UserError, match="cannot be read"):
        rows_of(amazon_book.read, broken)


def test_lastfm_keeps_the_papers_months(tmp_path):
    path = tmp_path / lastfm.FILE
    events = [("7", 1388534399), ("7", 1388534400), ("8", 1409529599), ("8", 1409529600)]
    path.write_text("".join(f"{user}\t1\t2\t300\t{time}\n" for user, time in events))
    write_kgat(tmp_path, items=["300"], users=["7", "8"], graph="0 0 1\n")
    tables = lastfm.load("lastfm", str(tmp_path), Options(str(tmp_path)))
    assert list(tables.interactions["timestamp"]) == [1388534400, 1409529599]
    assert {"step": "listening events of January to August 2014", "before": 4, "kept": 2, "dropped": 2} in tables.report


def test_yelp_dates_of_both_releases(tmp_path):
    path = tmp_path / yelp2018.FILE
    review = {
        "review_id": "r",
        "user_id": "u",
        "business_id": "b",
        "stars": 5,
        "text": "Line one.\nLine two.",
        "date": "2014-02-13",
    }
    lines = [
        json.dumps(review),
        json.dumps({**review, "date": "2014-02-13 01:00:01"}),
        "{",
        "[]",
        json.dumps({**review, "date": "13.2.2014"}),
        json.dumps({**review, "user_id": None}),
    ]
    path.write_text("\n".join(lines) + "\n")
    rows, report = rows_of(yelp2018.read, path)
    assert rows == [("u", "b", 1392249600.0), ("u", "b", 1392253201.0)]
    assert (report["before"], report["dropped"]) == (6, 4)


def write_kgat(folder, items=("i0", "i 1"), users=("u0",), graph="0 0 2\n1 1 2\n0 0 3\n", gap=" ", zipped=False):
    """KGAT's files: items are entities 0 …, then m.10 and one with a space in its name."""
    entities = [f"m.0{number}" for number in range(len(items))] + ["m.10", "name with spaces"]
    (folder / "item_list.txt").write_text(
        "org_id remap_id freebase_id\n"
        + "".join(f"{item}{gap}{number} m.0{number}\n" for number, item in enumerate(items))
    )
    for name, ids in (("user", users), ("entity", entities), ("relation", ["film.genre", "has a space"])):
        (folder / f"{name}_list.txt").write_text(
            "org_id remap_id\n" + "".join(f"{one} {number}\n" for number, one in enumerate(ids))
        )
    if zipped:
        with zipfile.ZipFile(folder / "kg_final.txt.zip", "w") as archive:
            archive.writestr("__MACOSX/kg_final.txt.other", "no")
            archive.writestr("amazon-book/kg_final.txt", graph)
    else:
        (folder / "kg_final.txt").write_text(graph)


@pytest.mark.parametrize("zipped", [False, True])
def test_kgat(tmp_path, zipped):
    write_kgat(tmp_path, zipped=zipped)
    read = kgat.read(str(tmp_path))
    assert (read.users, read.items) == ({"u0"}, {"i0", "i 1"})
    assert read.triplets.to_numpy().tolist() == [
        ["m.00", "film.genre", "m.10"],
        ["m.01", "has a space", "m.10"],
        ["m.00", "film.genre", "name with spaces"],
    ]
    assert read.links.to_numpy().tolist() == [["i0", "m.00"], ["i 1", "m.01"]]


def test_yelps_missing_space(tmp_path):
    items = ["--9e1ONYQuAa-CB_Rrw7Tw", "0123456789012345678901"]
    write_kgat(tmp_path, items=items, gap="")
    assert list(kgat.read(str(tmp_path)).links["item_id"]) == items


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda folder: (folder / "user_list.txt").unlink(), "user_list.txt: no such file; --kgat_dir must hold"),
        (lambda folder: (folder / "kg_final.txt").unlink(), "kg_final.txt: no such file, and no kg_final.txt.zip"),
        (lambda folder: (folder / "kg_final.txt").write_text("0 0 2\n0 7 2\n"), "line 2: relation 7 is not in .*has 2"),
        (lambda folder: (folder / "kg_final.txt").write_text("0 0 9\n"), "line 1: entity 9 is not in .*has 4"),
        (lambda folder: (folder / "kg_final.txt").write_text("0 0 x\n"), "not three integers"),
        (lambda folder: (folder / "kg_final.txt").write_text("0 0\n"), "not three integers"),
        (lambda folder: (folder / "kg_final.txt").write_text("0 0 -2\n"), "not three integers from 0"),
        (
            lambda folder: (folder / "entity_list.txt").write_text("org_id remap_id\na 0\nb 2\n"),
            "not 0 to 1, each once",
        ),
        (
            lambda folder: (folder / "user_list.txt").write_text("org_id remap_id\nu0\n"),
            "line 2: 'u0' is not an id and a",
        ),
    ],
)
def test_kgat_says_what_is_wrong(tmp_path, change, message):
    write_kgat(tmp_path)
    change(tmp_path)
    with pytest.raises(UserError, match=message):
        kgat.read(str(tmp_path))


def test_kgat_graph_may_be_empty_and_a_broken_zip_is_said(tmp_path):
    write_kgat(tmp_path, graph="")
    assert kgat.read(str(tmp_path)).triplets.shape == (0, 3)
    (tmp_path / "kg_final.txt").unlink()
    (tmp_path / "kg_final.txt.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match="no zip and no tar archive, or damaged"):
        kgat.read(str(tmp_path))


def test_kb4rec(tmp_path):
    path = tmp_path / "ab2fb.txt"
    path.write_text("0553092626\tm.04y4_\nmovie_7\tm.1\n0553092626\tm.2\n")
    assert kb4rec.read(str(path)).to_numpy().tolist() == [["0553092626", "m.04y4_"], ["7", "m.1"]]
    path.write_text("1\tm.1\n2 m.2\n")
    with pytest.raises(UserError, match="line 2: '2 m.2' is no item, tab and Freebase id"):
        kb4rec.read(str(path))


NS = "http://rdf.freebase.com/ns/"
STATEMENTS = [
    ("m.1", "r.a", "m.2"),
    ("m.2", "r.b", "m.3"),
    ("m.3", "r.b", "m.4"),
    ("g.9", "r.c", "m.1"),
    ("m.8", "r", "m.7"),
]


def write_dump(folder):
    other = [
        f'<{NS}m.1>\t<{NS}type.object.name>\t"A name"@en\t.',
        f'<{NS}m.1>\t<{NS}r.n>\t"3"^^<int>\t.',
        f"<{NS}m.1>\t<http://www.w3.org/type>\t<{NS}m.2>\t.",
        "",
        f"<{NS}m.1>\t<{NS}r.d>\t<http://else/m.2>\t.",
    ]
    lines = [f"<{NS}{head}>\t<{NS}{relation}>\t<{NS}{tail}>\t." for head, relation, tail in STATEMENTS]
    with gzip.open(folder / freebase.DUMP, "wt") as file:
        file.write("\n".join([*other, *lines]) + "\n")


@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
def test_freebase_gives_two_hops(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr(streaming, "BLOCK_BYTES", block_bytes)
    write_dump(tmp_path)
    triplets, dump = freebase.extract(str(tmp_path), ["m.1"])
    assert [tuple(row) for row in triplets.to_numpy()] == [STATEMENTS[0], STATEMENTS[1], STATEMENTS[3]]
    assert dump.endswith(freebase.DUMP)


def test_freebase_goes_on_with_the_pass_it_was_in(tmp_path, monkeypatch):
    write_dump(tmp_path)
    passes = []
    original = freebase._pass

    def stopped(dump, path, reached, title):
        passes.append(title)
        if len(passes) == 2:
            raise KeyboardInterrupt
        original(dump, path, reached, title)

    monkeypatch.setattr(freebase, "_pass", stopped)
    with pytest.raises(KeyboardInterrupt):
        freebase.extract(str(tmp_path), ["m.1"])
    triplets, _ = freebase.extract(str(tmp_path), ["m.1"])
    assert [title[-6:] for title in passes] == ["1 of 2", "2 of 2", "2 of 2"]
    assert len(triplets) == 3


interactions = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("pqrst"), st.integers(0, 9)), max_size=60)


@settings(deadline=None, max_examples=50)
@given(interactions, st.integers(1, 4), st.integers(1, 7))
def test_the_streamed_core_is_the_core(rows, k, block):
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    frame = frame.astype({"user_id": object, "item_id": object, "timestamp": int})

    def read(report):
        pieces = (frame[at : at + block] for at in range(0, len(frame), block))
        return filtered(pieces, lambda piece: piece["timestamp"] < 9, "early", report)

    report = []
    kept = pd.concat([frame[:0], *core(read, k, report)])
    early = frame[frame["timestamp"] < 9]
    codes = [pd.factorize(early[name])[0] for name in ("user_id", "item_id")]
    pd.testing.assert_frame_equal(kept, early[core_rows(*codes, k)])
    assert [row["step"] for row in report] == ["early", f"{k}-core, interactions"]
    assert all(row["before"] - row["dropped"] == row["kept"] for row in report)
    assert report[-1]["kept"] == len(kept)


def test_without_kgat_the_links_and_freebase_make_the_graph(tmp_path):
    write_dump(tmp_path)
    (tmp_path / amazon_book.FILE).write_text(
        "".join(f"A{user},{item},5.0,{user}\n" for user in range(3) for item in ("01", "02", "03")[: user + 1])
    )
    (tmp_path / amazon_book.LINKS).write_text("01\tm.1\n03\tm.8\n99\tm.8\n")
    tables = amazon_book.load("amazon-book", str(tmp_path), Options(min_interactions=2))
    assert list(tables.interactions["item_id"]) == ["01", "02"] * 2
    assert tables.links.to_numpy().tolist() == [["01", "m.1"]]
    assert len(tables.triplets) == 3
    np.testing.assert_array_equal([row["dropped"] for row in tables.report], [0, 2])


def test_yelp_needs_kgats_graph(tmp_path):
    with pytest.raises(UserError, match="--kgat_dir is needed"):
        yelp2018.load("yelp2018", str(tmp_path), Options())


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path):
    path = tmp_path / amazon_book.FILE
    path.write_bytes(b"\xef\xbb\xbfA1,1,5.0,1\nA2,1,5.0,2\n")
    rows, report = rows_of(amazon_book.read, path)
    assert rows == [("A1", "1", 1.0), ("A2", "1", 2.0)] and report["dropped"] == 0


@pytest.mark.parametrize("block_bytes", [1, 30, 1 << 20])
def test_line_ends_inside_a_field_make_a_damaged_row(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr(streaming, "BLOCK_BYTES", block_bytes)
    path = tmp_path / amazon_book.FILE
    broken = ("A\r1,1,5.0,1\n", "A2,\u20282,5.0,2\n", "A\t3,1,5.0,3\n", "A4,1\x85,5.0,4\n", "A5\x1c,1,5.0,5\n")
    path.write_bytes("".join(("A0,1,5.0,0\r\n", *broken, "A6,1,5.0,6\n")).encode())
    rows, report = rows_of(amazon_book.read, path)
    assert rows == [("A0", "1", 0.0), ("A6", "1", 6.0)]
    assert report["before"] == 7 and report["dropped"] == 5


def yelp_line(user="u", item="i", date="2018-01-01"):
    return json.dumps({"user_id": user, "business_id": item, "date": date}) + "\n"


def test_odd_reviews_are_damaged_rows(tmp_path):
    path = tmp_path / yelp2018.FILE
    odd = [
        "[" * 100_000 + "\n",
        yelp_line(user="\ud800"),
        yelp_line(item="a\tb"),
        yelp_line(date="2018-13-01"),
        '{"user_id":\r"u"}\n',
    ]
    path.write_text("".join([yelp_line(), *odd, yelp_line(user="é", date="9999-12-31")]), encoding="utf-8")
    rows, report = rows_of(yelp2018.read, path)
    assert rows == [("u", "i", 1514764800.0), ("é", "i", 253402214400.0)]
    assert report["before"] == 7 and report["dropped"] == 5


@pytest.mark.parametrize(
    "name, line, message",
    [
        ("item_list.txt", "i0 2 m.2", "the id 'i0' stands there twice"),
        ("user_list.txt", "u9 99999999999999999999", "line 5: .* is not an id and a number"),
        ("user_list.txt", "u9 " + "9" * 5000, "line 5: .* is not an id and a number"),
        ("user_list.txt", "u\r9 3", "line 5: the id .* holds a tab or a line end"),
        ("kg_final.txt", "0 0 99999999999999999999", "not three integers a line"),
        ("kg_final.txt", "0 0 1.5", "not three integers a line"),
    ],
)
def test_numbers_and_ids_that_cannot_be_are_said(tmp_path, name, line, message):
    fuzzed = {**fuzz.KGAT, name: fuzz.KGAT[name] + line.encode() + b"\n"}
    for file, content in fuzzed.items():
        (tmp_path / file).write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        kgat.read(str(tmp_path))
    assert "\n" not in str(error.value)


def test_kept_freebase_passes_are_of_these_entities_and_this_dump(tmp_path):
    dump = tmp_path / freebase.DUMP
    dump.write_bytes(gzip.compress(fuzz.DUMP))

    def triplets(*linked):
        return len(freebase.extract(str(tmp_path), pd.Series(linked, dtype=object))[0])

    assert (triplets("m.1"), triplets("m.1", "g.3"), triplets("m.1")) == (2, 3, 2)
    kept = tmp_path / "freebase-hop2.tsv"
    whole = kept.read_bytes()
    for damaged in (b"", whole[:-5], whole.replace(b"m.0", b"m.7")):
        kept.write_bytes(damaged)
        assert triplets("m.1") == 2 and kept.read_bytes() == whole
    dump.write_bytes(gzip.compress(fuzz.DUMP * 2))
    assert triplets("m.1") == 4
    dump.write_bytes(gzip.compress(fuzz.DUMP)[:-9])
    with pytest.raises(UserError, match="cannot be read"):
        triplets("g.3")


def test_a_preparation_that_fails_leaves_the_earlier_one(datasets_dir, tmp_path, monkeypatch):
    shutil.copytree(datasets_dir / "tiny", tmp_path / "tiny")
    before = {path.name: path.read_bytes() for path in (tmp_path / "tiny").iterdir()}
    tables = read_atomic(str(write_tiny(tmp_path / "raw", seed=5)), "tiny")
    with monkeypatch.context() as patch:
        patch.setattr(writer.files, "write_columns", lambda path, columns: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full"):
            writer.write(pipeline.prepare(tables, pipeline.Settings(2, 2, 2)), str(tmp_path / "tiny"), "tiny", {})
    assert {path.name: path.read_bytes() for path in (tmp_path / "tiny").iterdir()} == before
    writer.write(pipeline.prepare(tables, pipeline.Settings(2, 2, 2)), str(tmp_path / "tiny"), "tiny", {})
    after = {path.name: path.read_bytes() for path in (tmp_path / "tiny").iterdir()}
    assert set(after) == set(before) and after["interactions.npz"] != before["interactions.npz"]
    assert load(str(tmp_path), "tiny").num_users == 40
