import dataclasses
import json

import pytest

from katrec.common import sealed
from katrec.common.command_line import UserError
from katrec.settings import Settings
from katrec.training.run_directory import FORMAT, RunConfig, claim, read_config

CONFIG = RunConfig("tiny", "data", Settings(model="sasrec", propagation_dims=(8, 4)), {"items.tsv": "ab"})


def rewrite(folder, **changes):
    path = folder / "config.json"
    sealed.write(path, {**sealed.read(path), **changes})


def test_config_comes_back(tmp_path):
    claim(str(tmp_path), CONFIG)
    assert read_config(str(tmp_path)) == CONFIG
    assert json.loads((tmp_path / "config.json").read_text())["format"] == FORMAT


def test_what_an_older_version_lacks_has_its_default(tmp_path):
    """config.json of version 0.1: no format, paths among the settings, an ablation of its own."""
    values = {"dataset": "tiny", "datasets_dir": "data", "output_dir": "x", "resume": True, "pretrained_dir": None}
    written = {**values, "model": "sasrec", "ablation": "none", "data": {"items.tsv": "ab"}}
    (tmp_path / "config.json").write_text(json.dumps(written))
    assert read_config(str(tmp_path)) == CONFIG._replace(settings=Settings(model="sasrec"))
    rewrite(tmp_path, ablation="concat")
    with pytest.raises(UserError, match=r"config\.json: unknown settings: ablation=concat"):
        read_config(str(tmp_path))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"format": FORMAT + 1}, "has format 3, this version of katrec reads 1 and 2; update katrec"),
        ({"colour": "red"}, "unknown settings: colour=red"),
        ({"num_layers": "two"}, "num_layers='two': must be of type int"),
        ({"data": 3}, "not a run's config.json"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, changes, message):
    claim(str(tmp_path), CONFIG)
    rewrite(tmp_path, **changes)
    with pytest.raises(UserError, match=message) as error:
        read_config(str(tmp_path))
    assert "\n" not in str(error.value)


def test_another_runs_directory_is_refused(tmp_path):
    claim(str(tmp_path), CONFIG)
    claim(str(tmp_path), CONFIG._replace(settings=dataclasses.replace(CONFIG.settings, distribution="mirrored")))
    before = (tmp_path / "config.json").read_text()
    other = dataclasses.replace(CONFIG.settings, seed=2)
    with pytest.raises(UserError, match=r"made with other settings: --seed=2 \(was 1\); choose another --output_dir"):
        claim(str(tmp_path), CONFIG._replace(settings=other))
    with pytest.raises(UserError, match=r"--dataset=other \(was tiny\)"):
        claim(str(tmp_path), CONFIG._replace(dataset="other"))
    with pytest.raises(UserError, match=r"items\.tsv changed since the run was trained"):
        claim(str(tmp_path), CONFIG._replace(checksums={"items.tsv": "cd"}))
    assert (tmp_path / "config.json").read_text() == before
    claim(str(tmp_path), CONFIG._replace(settings=other), resume=False)
    assert read_config(str(tmp_path)).settings == other
