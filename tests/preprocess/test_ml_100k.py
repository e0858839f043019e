import json

import pytest

from katrec.common.command_line import UserError
from preprocess.sources import ml_100k


def test_real_counts_and_equal_bytes(ml_100k_dir, command, tmp_path):
    folder = ml_100k_dir / "ml-100k"
    statistics = json.loads((folder / "statistics.json").read_text())
    assert statistics == {
        "dataset": "ml-100k",
        "users": 943,
        "items": 1152,
        "interactions": 97953,
        "entities": 1434,
        "relations": 23,
        "triplets": 37242,
        "density": 97953 / (943 * 1152),
    }
    assert "MovieLens-100K: research use" in json.loads((folder / "manifest.json").read_text())["licence"]
    again = command("preprocess", "--dataset=ml-100k", f"--datasets_dir={tmp_path}", f"--raw_dir={folder}/raw")
    assert again.returncode == 0, again.stderr
    assert "| ml-100k | 943 | 1152 | 97953 | 1434 | 23 | 37242 | 9.0168% |" in again.stdout
    for file in folder.iterdir():
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "ml-100k" / file.name).read_bytes(), file.name


def test_a_changed_wheel_is_refused(tmp_path):
    (tmp_path / ml_100k.WHEEL).write_bytes(b"something else")
    with pytest.raises(UserError, match="the SHA-256 is not .* delete the file and run the command again"):
        ml_100k.load("ml-100k", str(tmp_path))


def test_a_failed_download_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(ml_100k, "REQUIREMENT", "recbole==0.0.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match=f"pip could not fetch recbole==0.0.0: .* put {ml_100k.WHEEL} into"):
        ml_100k.load("ml-100k", str(tmp_path))
