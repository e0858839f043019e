"""What a run takes beside its steps: the seconds of a whole `katrec.train` of one step, for each model.

  python -m benchmarks.start_up [--dataset=ml-100k] [--models=katrec,bert4rec] [--repeats=3]

Imports, tracing, an epoch of pre-training for models that have one, and three rankings (validation twice, test).
"""

import os
import resource
import subprocess
import sys
import tempfile

import numpy as np
from absl import flags

from benchmarks.measure import Seconds, elapsed, report
from katrec.common import command_line
from katrec.models import registry

FLAGS = flags.FlagValues()
flags.DEFINE_string("dataset", "ml-100k", "A prepared data set.", flag_values=FLAGS)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_list("models", list(registry.MODELS), "The models to start.", flag_values=FLAGS)
flags.DEFINE_integer("repeats", 3, "Runs of each model.", 1, flag_values=FLAGS)
ONE_STEP = ("--train_steps=1", "--eval_every_steps=1", "--pretrain_epochs=1", "--pretrain_kg_epochs=1")


def main():
    rows = []
    for model in FLAGS.models:
        command = [sys.executable, "-m", "katrec.train", f"--dataset={FLAGS.dataset}", f"--model={model}", *ONE_STEP]
        command.append(f"--datasets_dir={FLAGS.datasets_dir}")
        before = _processor_seconds()
        times = [elapsed(_run, command) for _ in range(FLAGS.repeats)]
        processor = (_processor_seconds() - before) / FLAGS.repeats
        rows.append((model, Seconds(float(np.median(times)), min(times), max(times)), f"{processor:.1f}"))
    title = f"A run of one step on {FLAGS.dataset}, {FLAGS.repeats} times"
    report(title, rows, ("model", "milliseconds: median (range)", "processor's seconds, mean"))


def _run(command):
    with tempfile.TemporaryDirectory() as folder:
        output_dir = os.path.join(folder, "run")
        done = subprocess.run([*command, f"--output_dir={output_dir}"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise command_line.UserError(done.stderr.splitlines()[-1])


def _processor_seconds():
    """Returns what all processes that this one has waited for have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    command_line.run(main, FLAGS)
