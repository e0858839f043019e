import json
import shutil

import numpy as np
import pytest

from katrec.common import files, sealed
from katrec.common.command_line import UserError
from katrec.data.dataset import load


@pytest.fixture
def folder(datasets_dir, tmp_path):
    shutil.copytree(datasets_dir / "tiny", tmp_path / "tiny")
    return tmp_path


def test_sizes(tiny_dataset):
    assert (tiny_dataset.num_users, tiny_dataset.num_items) == (40, 24)
    assert tiny_dataset.num_entities == 24 + 4 + 7
    assert tiny_dataset.num_relations == 3
    assert (tiny_dataset.valid >= 0).all()


def test_an_unprepared_data_set_names_the_command(tmp_path):
    with pytest.raises(UserError, match="run: python -m preprocess --dataset=other"):
        load(str(tmp_path), "other")


NAMES = ("interactions.npz", "triplets.npz", "ids.npz", "items.tsv", "users.tsv", "entities.tsv", "relations.tsv")


@pytest.mark.parametrize("name", [*NAMES, "statistics.json"])
def test_a_file_that_was_changed_is_named(folder, name):
    path = folder / "tiny" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{name}: missing, or not what was prepared"):
        load(str(folder), "tiny")
    path.unlink()
    with pytest.raises(UserError, match=f"{name}: missing, or not what was prepared"):
        load(str(folder), "tiny")


def accept(folder, name):
    """Makes the manifest agree with a file, as if it had been written so."""
    path = folder / "tiny" / "manifest.json"
    manifest = sealed.read(path)
    manifest["outputs"][name] = files.sha256(folder / "tiny" / name)
    sealed.write(path, manifest)


def test_pickled_arrays_are_refused(folder):
    np.savez(folder / "tiny" / "triplets.npz", triplets=np.array([{"a": 1}], dtype=object))
    accept(folder, "triplets.npz")
    with pytest.raises(UserError, match=r"triplets\.npz: damaged"):
        load(str(folder), "tiny")


@pytest.mark.parametrize("change", ["one more", "one fewer", "shifted", "twice"])
def test_ids_that_do_not_fit_the_arrays_are_refused(folder, change):
    path = folder / "tiny" / "items.tsv"
    header, *rows = path.read_text().splitlines()
    rows = {
        "one more": [*rows, "i99\tm.99\t"],
        "one fewer": rows[:-1],
        "shifted": [*rows[1:], rows[0]],
        "twice": [rows[0], *rows[:-1]],
    }[change]
    path.write_text("\n".join([header, *rows]) + "\n")
    accept(folder, "items.tsv")
    with pytest.raises(UserError, match="do not fit together"):
        load(str(folder), "tiny")


def test_other_versions_are_refused(folder):
    path = folder / "tiny" / "manifest.json"
    manifest = sealed.read(path)
    for changes in ({"format": 1}, {"format": 3}, {"outputs": None}):
        sealed.write(path, {**manifest, **changes})
        with pytest.raises(UserError, match="prepared by another version of katrec; prepare the data set again"):
            load(str(folder), "tiny")


def test_files_of_two_preparations_are_refused(folder):
    path = folder / "tiny" / "statistics.json"
    statistics = json.loads(path.read_text())
    path.write_text(json.dumps({**statistics, "users": 41}))
    accept(folder, "statistics.json")
    with pytest.raises(UserError, match="do not fit together"):
        load(str(folder), "tiny")


def test_damaged_json_is_named(folder):
    (folder / "tiny" / "manifest.json").write_text("{")
    with pytest.raises(UserError, match=r"manifest\.json: not JSON"):
        load(str(folder), "tiny")
