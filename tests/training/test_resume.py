import os
import signal
import subprocess
import sys
import time

import pytest

from tests.command_lines import SMALL, measured
from tests.conftest import ROOT, slow_but

SETTINGS = [
    *SMALL,
    "--train_steps=60",
    "--eval_every_steps=20",
    "--checkpoint_every_steps=7",
    "--attention_refresh_steps=9",
    "--seed=3",
]


def arguments(datasets_dir, model, output_dir):
    return [*SETTINGS, f"--datasets_dir={datasets_dir}", f"--model={model}", f"--output_dir={output_dir}"]


@pytest.mark.parametrize("model", slow_but(["katrec", "gru4rec++", "katrec_next_item"], "katrec"))
def test_a_killed_run_ends_with_the_same_numbers(datasets_dir, command, tmp_path, model):
    whole = command("katrec.train", *arguments(datasets_dir, model, tmp_path / "whole"))
    assert whole.returncode == 0, whole.stderr
    killed = [sys.executable, "-m", "katrec.train", *arguments(datasets_dir, model, tmp_path / "killed")]
    process = subprocess.Popen(killed, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    index = tmp_path / "killed" / "checkpoints" / "latest" / "checkpoint"
    deadline = time.monotonic() + 120
    while not (index.exists() and "ckpt-4" in index.read_text()):
        assert time.monotonic() < deadline and process.poll() is None, "no fourth checkpoint before the run ended"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "result.json").exists()
    resumed = command("katrec.train", *arguments(datasets_dir, model, tmp_path / "killed"))
    assert resumed.returncode == 0, resumed.stderr
    assert "going on from step" in resumed.stdout
    assert measured(tmp_path / "killed") == measured(tmp_path / "whole")
    again = command("katrec.train", *arguments(datasets_dir, model, tmp_path / "killed"))
    assert "is finished" in again.stdout
