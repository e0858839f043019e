import json
import warnings

import numpy as np
import pandas as pd
import pytest

from katrec.common import files
from katrec.common.command_line import UserError
from katrec.data.dataset import load
from preprocess import prepare_frames
from preprocess.pipeline import Settings

INTERACTIONS = pd.DataFrame({"user_id": [1, 1, 1, 2], "item_id": [30, 10, 20, 10], "timestamp": [3, 1, 2, 1], "x": 0})
TRIPLETS = pd.DataFrame({"head_id": [10, 20], "relation_id": ["has", "has"], "tail_id": ["red", "red"]})
ALL = Settings(0, 0, 0)


def test_three_lines_prepare_a_data_set(tmp_path):
    statistics = prepare_frames("mine", INTERACTIONS, TRIPLETS, datasets_dir=str(tmp_path), settings=ALL)
    assert (statistics["users"], statistics["items"], statistics["triplets"]) == (2, 3, 2)
    dataset = load(str(tmp_path), "mine")
    items = [row.split("\t")[0] for row in (tmp_path / "mine" / "items.tsv").read_text().splitlines()[1:]]
    assert [items[item] for item in (dataset.items[0], dataset.valid[0], dataset.test[0])] == ["10", "20", "30"]
    manifest = json.loads((tmp_path / "mine" / "manifest.json").read_text())
    assert (manifest["source"], manifest["licence"]) == ("frames", "not stated")


def test_dates_links_and_titles(tmp_path):
    dated = INTERACTIONS.assign(timestamp=pd.to_datetime(["2020-01-03", "2020-01-01", "2020-01-02", "2020-01-01"]))
    links = pd.DataFrame({"item_id": [10], "entity_id": ["m.1"]})
    titles = pd.DataFrame({"item_id": [10], "title": ["Ten"]})
    prepare_frames("mine", dated, TRIPLETS.assign(head_id="m.1"), links, titles, str(tmp_path), ALL)
    assert "10\tm.1\tTen" in (tmp_path / "mine" / "items.tsv").read_text()
    prepare_frames("plain", INTERACTIONS, datasets_dir=str(tmp_path), settings=ALL)
    np.testing.assert_array_equal(load(str(tmp_path), "plain").items, load(str(tmp_path), "mine").items)
    assert len(load(str(tmp_path), "plain").triplets) == 0


@pytest.mark.parametrize(
    "values, message",
    [
        ({"interactions": INTERACTIONS.drop(columns="item_id")}, "interactions: no column 'item_id'"),
        (
            {"interactions": INTERACTIONS.assign(timestamp=["a", 1, 2, 3])},
            "row 0: the time 'a' is neither a finite number",
        ),
        ({"interactions": INTERACTIONS.assign(user_id=[1, None, 1, 1])}, "interactions: row 1: user_id is empty"),
        ({"triplets": TRIPLETS.assign(tail_id="")}, "triplets: row 0: tail_id is empty"),
        (
            {"interactions": pd.concat([INTERACTIONS, INTERACTIONS[["item_id"]]], axis=1)},
            "interactions: the column 'item_id' stands there 2 times",
        ),
        ({"interactions": INTERACTIONS.to_dict()}, "interactions: a pandas DataFrame is needed, not dict"),
        ({"interactions": INTERACTIONS[:0]}, "there are no interactions: the table has no row"),
        (
            {"interactions": INTERACTIONS.assign(item_id=["a", ["b"], "c", "d"])},
            r"interactions: row 1: item_id is \['b'\], no single value",
        ),
        (
            {"interactions": INTERACTIONS.assign(item_id=["a", "b\nc", "d", "e"])},
            r"interactions: row 1: item_id 'b\\nc' holds a tab or a line end",
        ),
        (
            {"interactions": INTERACTIONS.assign(user_id=["a\tb", "b", "d", "e"])},
            r"interactions: row 0: user_id 'a\\tb' holds a tab",
        ),
        (
            {"interactions": INTERACTIONS.assign(item_id=pd.Series(["a", "b", "c\udc80", "e"], dtype=object))},
            "interactions: row 2: item_id .* cannot be written as UTF-8",
        ),
        (
            {"triplets": TRIPLETS.assign(tail_id=pd.Series(["x", "y\udc80"], dtype=object))},
            "triplets: row 1: tail_id .* UTF-8",
        ),
        (
            {"links": pd.DataFrame({"item_id": [1, 1], "entity_id": ["a", "b"]})},
            "links: row 1: item '1' is linked to a second entity, 'b'",
        ),
    ],
)
def test_wrong_frames_are_said_and_write_nothing(tmp_path, values, message):
    with pytest.raises(UserError, match=message):
        prepare_frames(
            "mine",
            **{"interactions": INTERACTIONS, "triplets": TRIPLETS, **values},
            datasets_dir=str(tmp_path),
            settings=ALL,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../mine", "a/b", "", ".", ".hidden", None])
def test_a_name_is_no_path(tmp_path, name):
    with pytest.raises(UserError, match="give a plain name, not a path"):
        prepare_frames(name, INTERACTIONS, datasets_dir=str(tmp_path / "datasets"), settings=ALL)
    assert list(tmp_path.iterdir()) == []


def items_of(folder):
    return dict(enumerate(load(str(folder), "mine").raw_ids("item")))


def test_numbers_text_and_bytes_are_one_id(tmp_path):
    """Ids change their type on the way: a column with a gap becomes one of floats."""
    interactions = INTERACTIONS.assign(item_id=[30.0, 10.0, 20.0, 10.0])
    statistics = prepare_frames("mine", interactions, TRIPLETS, datasets_dir=str(tmp_path), settings=ALL)
    assert statistics["triplets"] == 2
    assert sorted(items_of(tmp_path).values()) == ["10", "20", "30"]
    as_bytes = INTERACTIONS.assign(item_id=[b"30", b"10", b"20", b"10"])
    prepare_frames("bytes", as_bytes, TRIPLETS.astype(str), datasets_dir=str(tmp_path), settings=ALL)
    assert files.sha256(tmp_path / "bytes" / "ids.npz") == files.sha256(tmp_path / "mine" / "ids.npz")


def test_titles_become_one_line_and_may_be_missing(tmp_path):
    titles = pd.DataFrame({"item_id": [10, 20, 30], "title": ["Two\nlines\there", None, float("nan")]})
    prepare_frames("mine", INTERACTIONS, TRIPLETS, titles=titles, datasets_dir=str(tmp_path), settings=ALL)
    shown = dict(zip(*(files.read_column(tmp_path / "mine" / "items.tsv", name) for name in ("item_id", "title"))))
    assert shown == {"10": "Two lines here", "20": "", "30": ""}


def test_literals_of_the_graph_may_hold_line_ends(tmp_path):
    literals = TRIPLETS.assign(tail_id=["a\nb", "a\tb\\n"])
    prepare_frames("mine", INTERACTIONS, literals, datasets_dir=str(tmp_path), settings=ALL)
    dataset = load(str(tmp_path), "mine")
    entities = dataset.raw_ids("entity")
    assert sorted(entities[3:]) == ["a\tb\\n", "a\nb"]
    tails = {entities[head]: entities[tail] for head, _, tail in dataset.triplets}
    assert tails == {"10": "a\nb", "20": "a\tb\\n"}


def said(tmp_path, **frames):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        given = {"interactions": INTERACTIONS, "triplets": TRIPLETS, "settings": ALL, **frames}
        prepare_frames("mine", **given, datasets_dir=str(tmp_path))
    assert all(one.category is UserWarning for one in caught)
    return [str(one.message) for one in caught]


def test_nothing_is_said_where_nothing_is_lost(tmp_path):
    titles = pd.DataFrame({"item_id": [10, 20, 30], "entity_id": [10, 20, 30]})
    assert said(tmp_path, links=titles) == []


@pytest.mark.parametrize("quoted", ['"{}"', "{}.0", " {}", "'{}'"])
def test_ids_that_look_alike_are_pointed_out(tmp_path, quoted):
    links = pd.DataFrame({"item_id": [quoted.format(item) for item in (10, 20, 30)], "entity_id": ["A", "B", "C"]})
    lines = said(tmp_path, links=links, triplets=TRIPLETS.assign(head_id=["A", "B"]))
    [line] = [line for line in lines if "have a link to the graph" in line]
    assert line.startswith("none of the 3 items") and "look like the same id" in line
    assert "the interactions have for example '10'" in line and quoted.format(10) in line


def test_filters_that_drop_more_than_half_name_their_flag(tmp_path):
    lines = said(tmp_path, settings=Settings(0, 3, 0))
    assert any("2 of 2 were dropped; lower --min_entity_count to keep more" in line for line in lines)
    assert any(
        "has no triplet: none of the 2 is left; lower --min_entity_count and --min_relation_count" in line
        for line in lines
    )
    lines = said(tmp_path, settings=Settings(0, 0, 3))
    assert any("lower --min_relation_count to keep more" in line for line in lines)
    rows = [(user, user % 2, time) for user in range(3) for time in range(2)] + [
        (user, user, 0) for user in range(9, 30)
    ]
    many = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    lines = said(tmp_path, interactions=many, triplets=None, settings=Settings(2, 0, 0))
    assert any("21 of 27 were dropped; lower --min_interactions" in line for line in lines)
    assert any("the data set has no triplet: none was given" in line for line in lines)


def test_an_empty_link_table_is_said(tmp_path):
    lines = said(tmp_path, links=pd.DataFrame({"item_id": [], "entity_id": []}))
    assert any("none of the 3 items have a link to the graph; the links have none at all" in line for line in lines)
