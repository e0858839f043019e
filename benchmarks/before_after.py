"""The training step of this checkout beside that of another one, in one process, in turns.

  python -m benchmarks.before_after --before=OTHER_CHECKOUT [--dataset_like=ml-100k --scale=1] [--pairs=24]

Two processes differ by some percent whatever they run. Here both checkouts are loaded into one, each with its own model
and its own benchmarks.train_step, both steps are timed in turns, and each pair's ratio is taken.
"""

import importlib
import os
import sys
import time

import numpy as np
from absl import flags

from benchmarks.measure import report
from benchmarks.synthetic import define
from katrec import flags as settings_flags
from katrec.common import command_line
from katrec.training.trainer import TRACED_STEPS

FLAGS = flags.FlagValues()
flags.DEFINE_string("before", None, "The other checkout.", required=True, flag_values=FLAGS)
flags.DEFINE_integer("pairs", 24, "How many timed calls of each.", 2, flag_values=FLAGS)
define(FLAGS)
settings_flags.define(FLAGS)

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = "katrec", "benchmarks"


def main():
    settings = settings_flags.read(FLAGS)
    if not os.path.exists(os.path.join(FLAGS.before, "benchmarks", "train_step.py")):
        raise command_line.FlagError(f"--before={FLAGS.before}: has no benchmarks/train_step.py")
    given = {name: FLAGS[name].value for name in FLAGS if FLAGS[name].present and name not in ("before", "pairs")}
    checkouts = {"before": FLAGS.before, "after": HERE}
    calls = {name: _training(os.path.abspath(checkout), given) for name, checkout in checkouts.items()}
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
    title = f"Train step, {settings.model} like {FLAGS.dataset_like}, scale {FLAGS.scale:g}, {FLAGS.pairs} pairs"
    report(title, rows, ("what", "median", "mean ± standard error"))


def _training(checkout, given):
    """Returns a function that trains a checkout's model for TRACED_STEPS steps and waits for them; it is traced.

    Args:
      checkout: its packages are imported anew; what was imported before stays in use where it is.
      given: flags of its benchmarks.train_step.
    """
    for name in [name for name in sys.modules if name.split(".")[0] in PACKAGES]:
        del sys.modules[name]
    sys.path.insert(0, checkout)
    try:
        train_step = importlib.import_module("benchmarks.train_step")
        like = importlib.import_module("benchmarks.synthetic").like
        read = importlib.import_module("katrec.flags").read
        train_step.FLAGS(["train_step"])
        for name, value in given.items():
            train_step.FLAGS[name].value = value
        dataset = like(train_step.FLAGS.dataset_like, train_step.FLAGS.scale)
        _, _, train = train_step.fixed_steps(read(train_step.FLAGS), dataset)
        train()
    finally:
        sys.path.remove(checkout)
    return train


if __name__ == "__main__":
    command_line.run(main, FLAGS)
