"""Ctrl-C and SIGTERM, two processes in one run directory, and children whose parent is gone."""

import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.command_lines import measured
from tests.conftest import ROOT
from tests.training.test_resume import arguments

LONG = ["--train_steps=100000", "--patience=100000"]


def start(module, *flags, **kwargs):
    command = [sys.executable, "-m", module, *map(str, flags)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=ROOT, **{**pipes, **kwargs})


def wait_for(process, condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def listens(process):
    """Whether a command handles signals by now: SIGTERM is one that Python leaves alone."""
    with open(f"/proc/{process.pid}/status") as file:
        handled = int(re.search(r"SigCgt:\s*(\w+)", file.read())[1], 16)
    return handled >> (signal.SIGTERM - 1) & 1


def last_line(text):
    return text.replace("\r", "\n").strip().splitlines()[-1]


@pytest.fixture(scope="module")
def whole(datasets_dir, command, tmp_path_factory):
    """The numbers of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    done = command("katrec.train", *arguments(datasets_dir, "bert4rec", folder / "run"), "--train_steps=400")
    assert done.returncode == 0, done.stderr
    return measured(folder / "run")


@pytest.mark.parametrize(
    "number, status", [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_stopped_run_is_saved_and_goes_on_to_the_same_end(datasets_dir, command, tmp_path, whole, number, status):
    flags = [*arguments(datasets_dir, "bert4rec", tmp_path / "run"), "--train_steps=400"]
    process = start("katrec.train", *flags)
    wait_for(process, (tmp_path / "run" / "checkpoints" / "latest" / "ckpt-2.index").exists)
    process.send_signal(number)
    text = process.communicate(timeout=60)[0]
    assert process.returncode == status, text
    assert "Traceback" not in text
    assert "interrupted; step " in last_line(text) and "is saved in" in last_line(text)
    step = last_line(text).split("step ")[1].split(" ")[0].replace(",", "")
    resumed = command("katrec.train", *flags)
    assert resumed.returncode == 0 and f"going on from step {step} in" in resumed.stdout, resumed.stderr
    assert measured(tmp_path / "run") == whole


@pytest.mark.slow
def test_a_stopped_pre_training_goes_on_to_the_same_end(datasets_dir, command, tmp_path):
    def flags(folder):
        return [*arguments(datasets_dir, "katrec", folder), "--pretrain_epochs=60", "--pretrain_kg_epochs=400"]

    stops, folder = 0, tmp_path / "run"
    # Once in BPR-MF, once in TransR.
    for title in ("BPR-MF", "TransR"):
        with open(tmp_path / "log", "w") as log:
            process = start("katrec.train", *flags(folder), stdout=log)
        wait_for(process, lambda title=title: f"{title}: " in (tmp_path / "log").read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        text = (tmp_path / "log").read_text()
        stops += "the pre-training is saved" in last_line(text)
        assert "Traceback" not in text
    assert stops >= 1 and (folder / "checkpoints" / "pretraining").exists()
    resumed = command("katrec.train", *flags(folder))
    assert resumed.returncode == 0 and "going on with the pre-training, from its step" in resumed.stdout
    assert not (folder / "checkpoints" / "pretraining").exists()
    assert command("katrec.train", *flags(tmp_path / "whole")).returncode == 0
    assert measured(folder) == measured(tmp_path / "whole")


@pytest.mark.parametrize("seconds", [0, 1, 2.5])
def test_stopped_while_it_starts(datasets_dir, tmp_path, seconds):
    process = start("katrec.train", *arguments(datasets_dir, "katrec", tmp_path / "run"), *LONG)
    wait_for(process, lambda: listens(process))
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    text = process.communicate(timeout=60)[0]
    assert process.returncode == 130 and "Traceback" not in text
    assert "katrec.train: interrupted; " in last_line(text)


def test_two_processes_do_not_train_in_one_directory(datasets_dir, command, tmp_path):
    flags = [*arguments(datasets_dir, "bprmf", tmp_path / "run"), *LONG]
    first = start("katrec.train", *flags)
    wait_for(first, (tmp_path / "run" / "checkpoints").exists)
    for extra in ([], ["--noresume"]):
        second = command("katrec.train", *flags, *extra)
        assert second.returncode == 1 and f"process {first.pid} on " in second.stderr
        assert second.stderr.count("\n") == 1
    first.kill()
    first.communicate()
    # The owner's death opens the lock.
    third = start("katrec.train", *flags)
    wait_for(third, lambda: f"process {third.pid} on" in (tmp_path / "run" / "owner.lock").read_text())
    third.terminate()
    assert third.wait(60) == 143


@pytest.mark.slow
@pytest.mark.parametrize("number, status", [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_children_end_with_their_parent(datasets_dir, tmp_path, number, status):
    (tmp_path / "data" / "tiny").mkdir(parents=True)
    for file in (datasets_dir / "tiny").iterdir():
        os.link(file, tmp_path / "data" / "tiny" / file.name)
    (tmp_path / "data" / "tiny" / "flags.txt").write_text("\n".join([*arguments("x", "bprmf", "x")[1:-3], *LONG]))
    runs = tmp_path / "runs"
    folders = [f"--datasets_dir={tmp_path}/data", f"--runs_dir={runs}"]
    runner = start("katrec.experiments", "tiny", "--models=bprmf,gru4rec", "--jobs=2", *folders)
    both = [runs / "tiny" / f"{model}-seed1" / "checkpoints" / "latest" for model in ("bprmf", "gru4rec")]
    wait_for(runner, lambda: all(one.exists() for one in both))
    children = psutil.Process(runner.pid).children()
    assert len(children) == 2
    runner.send_signal(number)
    text = runner.communicate(timeout=60)[0]
    assert runner.returncode == status, text
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    if number == signal.SIGTERM:
        assert "interrupted; what the runs have is saved" in last_line(text)
        for folder in both:
            log = (folder.parent.parent / "train.log").read_text()
            assert "interrupted; step" in last_line(log) and "Traceback" not in log
