"""Sampled trials: what Optuna is told of runs that are made up here, and the command on the tiny data set."""

import json
import os
import sys

import numpy as np
import pytest

from katrec.common import sealed
from katrec.common.command_line import UserError
from katrec.common.interruption import Interrupted
from katrec.experiments import sampled, search_space
from katrec.experiments.sampled import SampledSearch
from katrec.settings import Settings
from katrec.training import run_directory
from katrec.training.run_directory import RunConfig
from tests.command_lines import SMALL, fails

RANGES = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "num_layers": {"low": 1, "high": 3},
    "layer_norm": {"choices": ["pre", "post"]},
}
SPACE = {"all": {"batch_size": 16}, "sasrec": {"flags": {"hidden_dim": 8}, "ranges": RANGES}}
STEPS = 5


def flags_of(run):
    return dict(flag[2:].split("=") for flag in run.flags)


class Runs:
    """Stands for training: a run's metric is the higher the nearer its learning rate is to 0.01, and grows by steps."""

    def __init__(self):
        self.made, self.stop_at = [], None

    def value(self, rate, step=STEPS):
        return max(1 - abs(np.log10(rate) + 2) / 2, 0.01) * step / STEPS

    def train(self, run, jobs, children, stop_when):
        rate = float(flags_of(run)["learning_rate"])
        settings = Settings(model="sasrec", learning_rate=rate)
        run_directory.claim(run.folder, RunConfig("tiny", "datasets", settings, {}))
        self.made.append((run, rate))
        rows = run_directory.read_rows(os.path.join(run.folder, "metrics.jsonl"))
        for step in range(len(rows) + 1, STEPS + 1):
            row = {"step": step, "seconds": 1.0, "valid": {"sampled": {"NDCG@10": self.value(rate, step)}}}
            with open(os.path.join(run.folder, "metrics.jsonl"), "a", encoding="utf-8") as file:
                file.write(json.dumps(sealed.seal(row)) + "\n")
            if len(self.made) == self.stop_at:
                raise KeyboardInterrupt
            if stop_when():
                return "stopped"
        values = {"sampled": {"NDCG@10": self.value(rate)}, "full": {}}
        result = {"dataset": "tiny", "model": "sasrec", "seed": 1, "users": 40, "step": STEPS, "seconds": 2.0}
        sealed.write(os.path.join(run.folder, "result.json"), {**result, "valid": values, "test": values})
        return None


@pytest.fixture
def runs(monkeypatch):
    made = Runs()
    monkeypatch.setattr(sampled, "train", made.train)
    return made


@pytest.fixture
def search(tmp_path):
    """Makes the search as a process would that begins or goes on."""
    return lambda: SampledSearch(SPACE, "sasrec", "tiny", "datasets", str(tmp_path))


def test_samples_are_in_the_ranges_and_better_ones_are_found(runs, search):
    one = search()
    assert one.run(30, 1) == []
    for run, rate in runs.made:
        flags = flags_of(run)
        assert 1e-4 <= rate <= 1e-1 and flags["num_layers"] in "123" and flags["layer_norm"] in ("pre", "post")
        assert flags["batch_size"] == "16" and flags["hidden_dim"] == "8" and flags["seed"] == "1"
    distances = [abs(np.log10(rate) + 2) for _, rate in runs.made]
    assert np.mean(distances[15:]) < np.mean(distances[:10]) and min(distances) < 0.1
    rows = one.rows()
    assert len(rows) == 30 and {row["state"] for row in rows} == {"complete", "pruned"}
    for row, (_, rate) in zip(rows, runs.made):
        assert row["flags"]["learning_rate"] == pytest.approx(rate)
        assert row["metric"] == "sampled/NDCG@10" and row["sampler"] == "TPESampler(seed=1)"
        # A pruned one has what it had reached, a whole one the result's.
        assert row["valid"] == pytest.approx(runs.value(rate, row["steps"]))
        assert (row["steps"] < STEPS) == (row["state"] == "pruned")
    # The worst are never trained to the end once there are others to compare with.
    worse = [row for row in rows[10:] if runs.value(row["flags"]["learning_rate"]) < 0.3]
    assert all(row["state"] == "pruned" for row in worse)


def test_a_search_goes_on_and_takes_up_what_was_interrupted(runs, search):
    runs.stop_at = 3
    with pytest.raises(Interrupted, match="the same command goes on"):
        search().run(4, 1)
    assert [row["trial"] for row in search().rows()] == [0, 1]
    runs.stop_at = None
    again = search()
    assert again.run(4, 1) == [] and len(again.rows()) == 4
    # The third is made again in its directory, with the same settings; one more was missing.
    (interrupted, rate), (taken_up, same), last = runs.made[2:]
    assert taken_up.folder == interrupted.folder and same == rate and last[0].folder != interrupted.folder
    assert taken_up.flags == interrupted.flags
    assert len(runs.made) == 5 and again.run(4, 1) == [] and len(runs.made) == 5


def test_two_processes_share_a_study(runs, search):
    one, other = search(), search()
    assert one.run(3, 1) == other.run(5, 1) == []
    assert [row["trial"] for row in search().rows()] == [0, 1, 2, 3, 4]
    assert len({run.folder for run, _ in runs.made}) == 5


def test_what_fails_is_said_and_the_search_ends(search, monkeypatch):
    monkeypatch.setattr(sampled, "train", lambda *arguments: "no such thing")
    failed = search().run(2, 1)
    assert failed == ["sasrec-sampled0: no such thing", "sasrec-sampled1: no such thing"]
    assert search().rows() == []


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({}, "sasrec has no ranges to sample from"),
        ({"learning_rat": {"low": 1, "high": 2}}, "sasrec: learning_rat: there is no such setting"),
        ({"num_layers": {"low": 3, "high": 1}}, "sasrec: num_layers: must be"),
        ({"num_layers": {"low": "1", "high": 2}}, "must be"),
        ({"num_layers": [1, 2]}, "must be"),
        ({"num_layers": {"choices": []}}, "must be"),
        ({"learning_rate": {"low": 0, "high": 1, "log": True}}, "must be"),
        ({"learning_rate": {"low": 0, "high": 1, "step": 2}}, "must be"),
    ],
)
def test_ranges_that_are_none(tmp_path, ranges, message):
    path = tmp_path / "search.json"
    path.write_text(json.dumps({"sasrec": {"ranges": ranges}}))
    with pytest.raises(UserError, match=message):
        search_space.read_ranges(str(path), ["sasrec"])


def test_without_optuna(search, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'katrec\[search\]'"):
        search()


def test_the_command(command, datasets_dir, tmp_path):
    own = tmp_path / "datasets" / "tiny"
    own.mkdir(parents=True)
    for path in (datasets_dir / "tiny").iterdir():
        os.symlink(path, own / path.name)
    ranges = {"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}
    space = {"all": dict(flag[2:].split("=") for flag in SMALL), "bprmf": {"ranges": ranges}}
    (own / "search.json").write_text(json.dumps(space))
    places = [f"--datasets_dir={own.parent}", f"--runs_dir={tmp_path}/runs", f"--results_dir={tmp_path}/results"]
    done = command("katrec.search", "--dataset=tiny", *places, "--trials=2", "--jobs=2")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "results" / "tiny" / "sampled.json").read_text())
    assert [(row["model"], row["trial"]) for row in rows] == [("bprmf", 0), ("bprmf", 1)]
    for row in rows:
        result = run_directory.read_result(str(tmp_path / "runs/tiny/search" / f"bprmf-sampled{row['trial']}"))
        assert row["metric"] == "sampled/NDCG@10" and row["valid"] == result["valid"]["sampled"]["NDCG@10"]
    text = (tmp_path / "results" / "tiny" / "sampled.md").read_text()
    assert f"--learning_rate={rows[0]['flags']['learning_rate']}" in text
    assert fails(command("katrec.search", "--dataset=tiny", *places, "--trials=2", "--models=sasrec"), 1, "no ranges")
