"""Synthetic raw files of the three formats, through the whole path."""

import json

import numpy as np
import pytest

from katrec.common import files
from preprocess.synthetic import SIZES


@pytest.fixture(scope="module", params=list(SIZES))
def made(request, command, tmp_path_factory):
    """A data set's synthetic raw files at a thousandth of its size, and the prepared data."""
    folder = tmp_path_factory.mktemp(request.param)
    done = command("preprocess.synthesize", f"--like={request.param}", "--scale=0.003", f"--raw_dir={folder}/raw")
    assert done.returncode == 0, done.stderr
    done = command(
        "preprocess",
        f"--dataset={request.param}",
        f"--raw_dir={folder}/raw",
        f"--kgat_dir={folder}/raw",
        f"--datasets_dir={folder}/out",
    )
    assert done.returncode == 0, done.stderr
    return request.param, folder, done.stdout


def test_the_prepared_data_has_the_sizes_asked_for(made):
    name, folder, printed = made
    statistics = json.loads((folder / "out" / name / "statistics.json").read_text())
    sizes = SIZES[name].scaled(0.003)
    assert (statistics["users"], statistics["items"]) == (sizes.users, sizes.items)
    assert statistics["interactions"] == sizes.interactions
    assert statistics["triplets"] == sizes.triplets
    assert statistics["relations"] <= sizes.relations and statistics["entities"] <= sizes.entities
    assert f"before {sizes.rows}, kept {sizes.rows}, dropped 0" in printed
    assert "| the paper's | " in printed
    report = json.loads((folder / "out" / name / "manifest.json").read_text())["report"]
    rows = [row for row in report if "before" in row]
    assert all(row["before"] - row["dropped"] == row["kept"] for row in rows)
    # Each filter of the interactions begins with what the one before it left.
    chain = [row for row in rows if "triplets" not in row["step"]]
    assert all(first["kept"] == second["before"] for first, second in zip(chain, chain[1:]))


def test_users_and_items_have_ten_interactions(made):
    name, folder, _ = made
    with np.load(folder / "out" / name / "interactions.npz") as arrays:
        items = np.concatenate([arrays["items"], arrays["valid"], arrays["test"]])
        assert np.bincount(items).min() >= 10
        assert (np.diff(arrays["offsets"]) + 2).min() >= 10


def test_the_graph_explains_tastes(made):
    """Items that share an entity share more users than items drawn at random."""
    name, folder, _ = made
    with np.load(folder / "out" / name / "triplets.npz") as arrays:
        triplets = arrays["triplets"]
    with np.load(folder / "out" / name / "interactions.npz") as arrays:
        users = np.repeat(np.arange(len(arrays["valid"])), np.diff(arrays["offsets"]))
        matrix = np.zeros((len(arrays["valid"]), int(arrays["items"].max()) + 1))
        np.add.at(matrix, (users, arrays["items"]), 1)
    together = np.corrcoef(matrix.T)
    np.fill_diagonal(together, np.nan)
    generator = np.random.default_rng(0)
    inside = []
    for tail in generator.permutation(np.unique(triplets[:, 2]))[:200]:
        heads = np.unique(triplets[triplets[:, 2] == tail, 0])
        heads = heads[heads < len(together)][:10]
        inside.append(np.nanmean(together[np.ix_(heads, heads)]) if len(heads) > 1 else np.nan)
    assert np.nanmean(inside) > np.nanmean(together) + 0.01


def test_the_same_seed_gives_the_same_bytes(made, command, tmp_path):
    name, folder, _ = made
    done = command("preprocess.synthesize", f"--like={name}", "--scale=0.003", f"--raw_dir={tmp_path}")
    assert done.returncode == 0
    for path in sorted(tmp_path.iterdir()):
        assert files.sha256(path) == files.sha256(folder / "raw" / path.name), path.name
    command(
        "preprocess",
        f"--dataset={name}",
        f"--raw_dir={tmp_path}",
        f"--kgat_dir={tmp_path}",
        f"--datasets_dir={tmp_path}/out",
    )
    for path in (folder / "out" / name).iterdir():
        assert files.sha256(path) == files.sha256(tmp_path / "out" / name / path.name), path.name
