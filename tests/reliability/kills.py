"""Runs that are killed again and again, at random file operations and moments, and started again: the same end?

  python -m tests.reliability.kills [--models=katrec,gru4rec++] [--kills=50] [--kills_a_run=5] [--seed=0]

A kill is SIGKILL at a random operation on a file of the run (half of a write reaches the disk) or at a random moment,
or SIGTERM. After some of them the run goes on to its end; its metrics, ranks, weights and files are compared with those
of a run that nothing has stopped. The pre-training writes a checkpoint after every stretch, so that it is hit as well.
Needs gcc. Prints a row a run; exit status 1 where one differs.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, NamedTuple, Optional

import numpy as np
from absl import flags
from tqdm import tqdm

from katrec.common import command_line
from katrec.common.command_line import UserError
from tests import tiny
from tests.command_lines import measured

FLAGS = flags.FlagValues()
flags.DEFINE_list("models", ["katrec", "gru4rec++"], "Which.", flag_values=FLAGS)
flags.DEFINE_integer("kills", 50, "Of each model.", 1, flag_values=FLAGS)
flags.DEFINE_integer("kills_a_run", 5, "Before it may end.", 1, flag_values=FLAGS)
flags.DEFINE_integer("seed", 0, "Of the moments.", flag_values=FLAGS)

HERE = pathlib.Path(__file__).parent
SETTINGS = [
    *("--max_sequence_length=8", "--entity_dim=8", "--propagation_dims=4", "--num_layers=1", "--hidden_dim=16"),
    *("--relation_dim=4", "--batch_size=16", "--kg_batch_size=32", "--train_steps=40", "--eval_every_steps=20"),
    *("--checkpoint_every_steps=7", "--attention_refresh_steps=9", "--pretrain_epochs=30", "--pretrain_kg_epochs=30"),
    *("--pretrain_batch_size=64", "--seed=3", "--num_negatives=10"),
]
TRAIN = """
import runpy, sys
from katrec.training import pretraining
pretraining.SAVE_SECONDS = 0
runpy.run_module("katrec.train", run_name="__main__", alter_sys=True)
"""


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
      status: its exit status, −number for one that a signal ended.
      text: all it said.
      seconds: how long it took.
      operations: how many file operations there were, or at which one it was killed.
    """

    status: int
    text: str
    seconds: float
    operations: str


class Laboratory:
    """Trains a model on the tiny data set, with faults.

    Args:
      folder: for all files.
      model: its name.
    """

    def __init__(self, folder: pathlib.Path, model: str) -> None:
        self.folder, self._model = folder, model
        folder.mkdir(parents=True, exist_ok=True)
        self._library = folder / "crash.so"
        compiler = ["gcc", "-O1", "-shared", "-fPIC", "-o", str(self._library), str(HERE / "crash.c"), "-ldl"]
        subprocess.run(compiler, check=True)
        tiny.prepare(tiny.write_atomic(folder / "raw"), folder / "data")

    def train(
        self, run: str, at: Optional[int] = None, after: Optional[float] = None, number: int = signal.SIGKILL
    ) -> Ended:
        """Trains in the directory `run`.

        Args:
          run: its name.
          at: the file operation at which the process is killed.
          after: seconds until it gets the signal.
          number: the signal.
        """
        log, output = self.folder / "operations", self.folder / "output"
        log.unlink(missing_ok=True)
        environment = {**os.environ, "LD_PRELOAD": str(self._library), "CRASH_UNDER": str(self.folder / run)}
        environment.update(CRASH_LOG=str(log), **({"CRASH_AT": str(at)} if at else {}))
        arguments = [*SETTINGS, "--dataset=tiny", f"--datasets_dir={self.folder}/data", f"--model={self._model}"]
        command = [sys.executable, "-c", TRAIN, *arguments, f"--output_dir={self.folder / run}"]
        started = time.monotonic()
        with open(output, "w") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
            try:
                status = process.wait(after)
            except subprocess.TimeoutExpired:
                process.send_signal(number)
                status = process.wait()
        operations = log.read_text().strip() if log.exists() else ""
        return Ended(status, output.read_text(errors="replace"), time.monotonic() - started, operations)

    def outcome(self, run: str) -> dict[str, Any]:
        """Returns all that a run measured, learned and left, without its times."""
        import tensorflow as tf

        folder = self.folder / run
        with np.load(folder / "ranks.npz") as ranks:
            ranked = {name: ranks[name].tolist() for name in ranks}
        digest = hashlib.sha256()
        reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(folder / "checkpoints" / "best"))
        for name in sorted(reader.get_variable_to_shape_map()):
            value = reader.get_tensor(name)
            digest.update(name.encode() + (value if isinstance(value, bytes) else np.asarray(value).tobytes()))
        # The numbers of checkpoints depend on how often one was begun.
        left = {path.name.split("-")[0] for path in folder.rglob("*") if "tfevents" not in path.name}
        return {
            "rows": measured(folder),
            "ranks": ranked,
            "weights": digest.hexdigest(),
            "files": sorted(left),
        }


def chain(laboratory: Laboratory, whole: Ended, kills: int, moments: random.Random) -> tuple[list[str], Ended]:
    """Starts a run, kills it so many times, and lets it end; returns where it was killed, and its end."""
    shutil.rmtree(laboratory.folder / "run", ignore_errors=True)
    operations, stops = int(whole.operations.split()[0]), []
    for _ in range(kills):
        kind = moments.random()
        if kind < 0.6:
            ended = laboratory.train("run", at=moments.randint(1, operations))
            stops.append(ended.operations.replace(str(laboratory.folder), "") if ended.status == -9 else "not reached")
        else:
            number = signal.SIGTERM if kind > 0.8 else signal.SIGKILL
            ended = laboratory.train("run", after=moments.uniform(0, whole.seconds), number=number)
            stops.append(f"{signal.Signals(number).name} after {ended.seconds:.1f} s")
        if ended.status not in (0, -9, -15, 143):
            return stops, ended
    return stops, laboratory.train("run")


def main() -> None:
    """Kills the runs of the flags' models; raises `UserError` where one ends otherwise."""
    moments, bad = random.Random(FLAGS.seed), []
    print("| model | run | kills | reached | end |\n| --- | --- | --- | --- | --- |", flush=True)
    for model in FLAGS.models:
        with tempfile.TemporaryDirectory() as folder:
            laboratory = Laboratory(pathlib.Path(folder), model)
            whole = laboratory.train("whole")
            if whole.status:
                raise UserError(f"{model}: {whole.text[-500:]}")
            expected = laboratory.outcome("whole")
            for number in tqdm(range(-(-FLAGS.kills // FLAGS.kills_a_run)), model, dynamic_ncols=True):
                stops, ended = chain(laboratory, whole, FLAGS.kills_a_run, moments)
                found = laboratory.outcome("run") if ended.status == 0 else None
                said = ended.text.strip().splitlines()[-1:] if ended.status else []
                end = "the same" if found == expected else f"OTHERWISE ({ended.status}) {said}"
                reached = sum("not reached" not in stop for stop in stops)
                print(f"| {model} | {number} | {len(stops)} | {reached} | {end} |", flush=True)
                if found != expected:
                    bad.append(f"{model} {number}: {'; '.join(stops)}")
                    for name in found or ():
                        if found[name] != expected[name]:
                            print(f"  {name}: {found[name]}\n  expected: {expected[name]}", flush=True)
    if bad:
        raise UserError(f"{len(bad)} runs ended otherwise: {' | '.join(bad)}")


if __name__ == "__main__":
    command_line.run(main, FLAGS)
