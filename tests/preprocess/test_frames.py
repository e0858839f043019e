import json

import numpy as np
import pandas as pd
import pytest

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
        ({"interactions": INTERACTIONS.assign(timestamp=["a", 1, 2, 3])}, "row 0: timestamp 'a' is no finite number"),
        ({"interactions": INTERACTIONS.assign(user_id=[1, None, 1, 1])}, "interactions: row 1: user_id is empty"),
        ({"triplets": TRIPLETS.assign(tail_id="")}, "triplets: row 0: tail_id is empty"),
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
