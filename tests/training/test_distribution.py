"""Training on several devices: two workers over loopback, two devices of one machine."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.training.test_resume import SETTINGS

pytestmark = pytest.mark.slow

# Masks and the graph's dropout are the same for any number of devices; dropout in the transformer is not.
EXACT = ["--hidden_dropout=0", "--attention_dropout=0"]
MIRRORED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import runpy
runpy.run_module("katrec.train", run_name="__main__")
"""


def losses(output_dir):
    rows = [json.loads(row) for row in (output_dir / "metrics.jsonl").read_text().splitlines()]
    return [row[name] for row in rows for name in ("loss", "transr_loss")]


@contextlib.contextmanager
def workers(arguments, folder):
    """Two worker processes; their standard error goes to folder/0 and folder/1."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    processes = []
    for index in range(2):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        with open(folder / str(index), "w") as errors:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "katrec.train", *arguments, "--distribution=multi_worker"],
                    cwd=ROOT,
                    env={**os.environ, "TF_CONFIG": json.dumps(config)},
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                )
            )
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module", params=["katrec", "katrec_next_item"])
def settings(request, datasets_dir):
    return [*SETTINGS, *EXACT, f"--datasets_dir={datasets_dir}", f"--model={request.param}"]


@pytest.fixture(scope="module")
def one_device(command, settings, tmp_path_factory):
    """The losses of the run on one device."""
    folder = tmp_path_factory.mktemp("one")
    done = command("katrec.train", *settings, f"--output_dir={folder}")
    assert done.returncode == 0, done.stderr
    return losses(folder)


def test_two_workers_have_the_losses_of_one(settings, one_device, tmp_path):
    with workers([*settings, f"--output_dir={tmp_path}/run"], tmp_path) as processes:
        outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], (tmp_path / "0").read_text()
    assert "test  sampled" in outputs[0] and outputs[1] == ""
    assert losses(tmp_path / "run") == pytest.approx(one_device, rel=1e-4)


def test_two_devices_have_the_losses_of_one(settings, one_device, tmp_path):
    command = [sys.executable, "-c", MIRRORED, *settings, f"--output_dir={tmp_path}", "--distribution=mirrored"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path) == pytest.approx(one_device, rel=1e-4)


def test_a_lost_worker_stops_the_run_and_both_go_on_later(settings, tmp_path):
    arguments = [*settings, f"--output_dir={tmp_path}/run", "--train_steps=3000", "--eval_every_steps=3000"]
    index = tmp_path / "run" / "checkpoints" / "latest" / "checkpoint"
    with workers(arguments, tmp_path) as processes:
        deadline = time.monotonic() + 200
        # The first checkpoint has the pre-trained embeddings, before any step.
        while not (index.exists() and "ckpt-2" in index.read_text()):
            assert time.monotonic() < deadline and processes[0].poll() is None, (tmp_path / "0").read_text()
            time.sleep(0.05)
        os.kill(processes[1].pid, signal.SIGKILL)
        assert processes[0].wait(timeout=120) == 1
    message = (tmp_path / "0").read_text().splitlines()[-1]
    assert re.search("error: another worker has stopped .* start all workers again", message)
    reached = int(re.search(r"ckpt-(\d+)", index.read_text()).group(1)) - 1
    with workers(arguments, tmp_path) as processes:
        started = processes[0].stdout.readline()
        assert re.search(r"going on from step (\d+)", started), (tmp_path / "0").read_text()
        assert int(re.search(r"\d+", started).group()) >= reached


@pytest.mark.parametrize(
    "config",
    [
        "",
        "{",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
    ],
)
def test_a_wrong_cluster_is_said(command, settings, tmp_path, config):
    done = command(
        "katrec.train",
        *settings,
        f"--output_dir={tmp_path}",
        "--distribution=multi_worker",
        env={**os.environ, "TF_CONFIG": config},
    )
    assert done.returncode == 2
    assert "TF_CONFIG must hold JSON" in done.stderr and "Traceback" not in done.stderr
