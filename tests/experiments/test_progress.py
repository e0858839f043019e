"""The bar over several runs, on run directories made by training."""

import io
import re
import sys

import pytest

from katrec.experiments.progress import RunsBar, done_share
from katrec.experiments.running import PlannedRun
from katrec.runs import fit
from katrec.settings import Settings
from katrec.training import run_directory


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(scope="module")
def finished(tiny_dataset, tmp_path_factory):
    """The files of a run of four steps that was evaluated at each second one."""
    folder = tmp_path_factory.mktemp("finished")
    settings = Settings(model="bprmf", hidden_dim=4, train_steps=4, eval_every_steps=2)
    fit(tiny_dataset, settings, str(folder))
    return folder


def left(finished, folder, num_rows):
    """A run that was left after so many evaluations."""
    (folder / "config.json").write_bytes((finished / "config.json").read_bytes())
    rows = (finished / run_directory.METRICS).read_bytes().splitlines(keepends=True)
    (folder / run_directory.METRICS).write_bytes(b"".join(rows[:num_rows]))
    return planned(folder)


def planned(folder):
    return PlannedRun(folder.name, str(folder), ())


def test_the_share_of_the_steps_at_the_last_evaluation(finished, tmp_path):
    assert done_share(planned(finished)) == 1
    assert done_share(planned(tmp_path / "not begun")) == 0
    for name, num_rows, share in (("begun", 0, 0), ("half", 1, 0.5), ("to be ended", 2, 1)):
        (tmp_path / name).mkdir()
        assert done_share(left(finished, tmp_path / name, num_rows)) == share


def test_a_damaged_run_does_not_stop_the_others(finished, tmp_path):
    run = left(finished, tmp_path, 1)
    (tmp_path / run_directory.METRICS).write_text("{\n")
    assert done_share(run) == 0


@pytest.mark.parametrize("shown", [True, False])
def test_the_bar_adds_up_the_runs(finished, tmp_path, shown, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", Terminal())
    half = left(finished, tmp_path, 1)
    with RunsBar([planned(finished), half], shown) as bar:
        bar.update()
        bar.print("a line")
    text = sys.stderr.getvalue()
    assert bool(re.search(r"75%.* 1\.5/2 runs", text)) == shown
    assert capsys.readouterr().out == "a line\n"


def test_nothing_is_drawn_where_there_is_no_terminal(finished, capsys):
    with RunsBar([planned(finished)], shown=True) as bar:
        bar.update()
    assert capsys.readouterr().err == ""
