"""The training step of this checkout beside that of another one, in one process, in turns.

  python -m benchmarks.before_after --before=OTHER_CHECKOUT [--dataset_like=ml-100k --scale=1] [--pairs=24]

Two processes differ by some percent whatever they run. Here both steps are timed in turns and each pair's ratio is
taken. Only katrec/training/step.py comes from the other checkout: the rest must have the same interfaces.
"""

import importlib.util
import os
import time

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks.measure import report
from benchmarks.synthetic import define, like
from katrec import flags as settings_flags
from katrec.common import command_line
from katrec.models.build import build
from katrec.training import step
from katrec.training.batches import Batches
from katrec.training.trainer import TRACED_STEPS

FLAGS = flags.FlagValues()
flags.DEFINE_string("before", None, "The other checkout.", required=True, flag_values=FLAGS)
flags.DEFINE_integer("pairs", 24, "How many timed calls of each.", 2, flag_values=FLAGS)
define(FLAGS)
settings_flags.define(FLAGS)


def main():
    settings = settings_flags.read(FLAGS)
    dataset = like(FLAGS.dataset_like, FLAGS.scale)
    calls = {"before": _call(_module(FLAGS.before), dataset, settings), "after": _call(step, dataset, settings)}
    seconds = {name: [] for name in calls}
    for pair in range(FLAGS.pairs):
        for name in sorted(calls, reverse=bool(pair % 2)):
            started = time.perf_counter()
            calls[name]()
            seconds[name].append((time.perf_counter() - started) / TRACED_STEPS)
    ratios = np.divide(seconds["after"], seconds["before"])
    rows = [(name, f"{1000 * np.median(values):.1f} ms", "") for name, values in seconds.items()]
    spread = ratios.std(ddof=1) / np.sqrt(len(ratios))
    rows.append(
        ("after / before, median of pairs", f"{np.median(ratios):.4f}", f"mean {ratios.mean():.4f} ± {spread:.4f}")
    )
    report(f"Train step, {settings.model} like {FLAGS.dataset_like}, scale {FLAGS.scale:g}, {FLAGS.pairs} pairs", rows)


def _module(checkout):
    """Returns the training step's module of another checkout."""
    path = os.path.join(checkout, "katrec", "training", "step.py")
    if not os.path.exists(path):
        raise command_line.FlagError(f"--before={checkout}: has no katrec/training/step.py")
    specification = importlib.util.spec_from_file_location("step_before", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _call(module, dataset, settings):
    """Returns a function that trains for TRACED_STEPS steps and waits for them; it is traced."""
    model = build(settings, dataset)
    steps = module.TrainSteps(model, settings, tf.distribute.get_strategy())
    batch = next(Batches(dataset, model, settings).from_step(0))
    batches = iter(tf.data.Dataset.from_tensors(tuple(batch)).repeat())
    first = next(iter(model.trainable_variables))

    def call():
        steps(batches, 0, TRACED_STEPS)
        first.numpy()

    call()
    return call


if __name__ == "__main__":
    command_line.run(main, FLAGS)
