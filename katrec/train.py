"""Trains a model on a prepared data set, evaluates its best weights and writes result.json.

  python -m katrec.train --flagfile=datasets/ml-100k/flags.txt --model=katrec --output_dir=runs/ml-100k/katrec

The same command goes on where an interrupted run stopped.
"""

from __future__ import annotations

import dataclasses

from absl import flags

from katrec import flags as settings_flags
from katrec.common import command_line
from katrec.evaluation.metrics import metric_lines
from katrec.experiments.variants import ABLATIONS
from katrec.runs import DATASETS_DIR, fit
from katrec.training import devices
from katrec.training.tracking import MLFLOW

FLAGS = flags.FlagValues()
flags.DEFINE_string("dataset", "ml-100k", "Name of a prepared data set.", flag_values=FLAGS)
flags.DEFINE_string("datasets_dir", DATASETS_DIR, "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_string(
    "output_dir",
    None,
    "Run directory: config.json, checkpoints, metrics.jsonl, result.json.",
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "resume", True, "Go on from the last checkpoint in --output_dir; --noresume begins anew.", flag_values=FLAGS
)
flags.DEFINE_string(
    "pretrained_dir",
    None,
    "Folder that keeps pre-trained embeddings; a run that would compute the same ones takes them from there.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "tracking",
    None,
    [MLFLOW],
    "Keep settings, metrics and files in MLflow's store, too: MLFLOW_TRACKING_URI, else ./mlflow.db (extra: tracking).",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "ablation",
    "none",
    ["none", *ABLATIONS],
    "A variant of the paper's Table 3, short for its settings; they win over their own flags.",
    flag_values=FLAGS,
)
settings_flags.define(FLAGS)


def main() -> None:
    """Trains the run that the flags describe, or goes on with it."""
    settings = settings_flags.read(FLAGS)
    if FLAGS.output_dir is None:
        raise command_line.FlagError("--output_dir is needed: the folder for this run's checkpoints and results")
    if FLAGS.ablation != "none":
        settings = dataclasses.replace(settings, **ABLATIONS[FLAGS.ablation].changes(settings))
    run = fit(
        FLAGS.dataset,
        settings,
        FLAGS.output_dir,
        FLAGS.datasets_dir,
        FLAGS.pretrained_dir,
        resume=FLAGS.resume,
        tracking=FLAGS.tracking,
    )
    if devices.is_chief(settings.distribution):
        print(metric_lines(run.metrics))


def command() -> None:
    """The console script."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
