import json
import shutil

import numpy as np
import pytest

from katrec.common.command_line import UserError
from katrec.data.dataset import load


@pytest.fixture
def folder(datasets_dir, tmp_path):
    shutil.copytree(datasets_dir / "tiny", tmp_path / "tiny")
    return tmp_path


def test_sizes(tiny_dataset):
    assert (tiny_dataset.num_users, tiny_dataset.num_items) == (40, 24)
    assert tiny_dataset.num_entities == 24 + 4 + 7
    assert tiny_dataset.num_relations == 2
    assert (tiny_dataset.valid >= 0).all()


def test_an_unprepared_data_set_names_the_command(tmp_path):
    with pytest.raises(UserError, match="run: python -m preprocess --dataset=other"):
        load(str(tmp_path), "other")


def test_a_damaged_array_is_named(folder):
    (folder / "tiny" / "interactions.npz").write_bytes(b"PK something")
    with pytest.raises(UserError, match=r"interactions\.npz: cannot be read"):
        load(str(folder), "tiny")


def test_pickled_arrays_are_refused(folder):
    np.savez(folder / "tiny" / "triplets.npz", triplets=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match=r"triplets\.npz: cannot be read"):
        load(str(folder), "tiny")


def test_files_of_two_preparations_are_refused(folder):
    path = folder / "tiny" / "statistics.json"
    statistics = json.loads(path.read_text())
    path.write_text(json.dumps({**statistics, "users": 41}))
    with pytest.raises(UserError, match="do not fit together"):
        load(str(folder), "tiny")


def test_damaged_json_is_named(folder):
    (folder / "tiny" / "manifest.json").write_text("{")
    with pytest.raises(UserError, match=r"manifest\.json: not JSON"):
        load(str(folder), "tiny")
