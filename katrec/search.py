"""Trains every model with the settings that a data set's search.json lists, and tables what the validation items say.

  python -m katrec.search --dataset=beauty [--models=bert4rec,katrec] [--jobs=2]
  python -m katrec.search --dataset=beauty --trials=30 [--models=katrec] [--jobs=2]    sampled by Optuna

DATASETS_DIR/DATASET/search.json: {"all": {flag: value, …}, MODEL: {"flags": {…}, "trials": [{…}, …]}, …}. A trial has
the flags of "all", of its model and its own, which override each other in this order; every model has the same number
of trials. Writes RESULTS_DIR/DATASET/trials.md, a model's best first, and trials.json; a finished trial is not
repeated, so that more may be added at the end of the lists.

With --trials (extra: search) the settings are sampled from a model's "ranges": {setting: {"low": 1, "high": 3}, or with
"log": true, or {"choices": […]}}. A trial ends early where the others' median did better at the same step. The search
goes on where it stopped, and the same command may run in several processes at once. Writes sampled.md and sampled.json.
"""

from __future__ import annotations

import os

from absl import flags

from katrec.common import command_line
from katrec.common.command_line import FlagError, UserError
from katrec.common.threads import JOBS, default_jobs
from katrec.experiments import search_space, trials
from katrec.experiments.running import run_all, settings_file
from katrec.experiments.sampled import SampledSearch
from katrec.models import registry

FLAGS = flags.FlagValues()
flags.DEFINE_string("dataset", None, "A prepared data set.", required=True, flag_values=FLAGS)
flags.DEFINE_list("models", [], "The models to tune; default: all in search.json.", flag_values=FLAGS)
flags.DEFINE_integer(
    "jobs",
    default_jobs(),
    f"Trials that run at a time, each on its share of the processor's cores; {JOBS}",
    1,
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "trials", None, "Trials of each model whose settings Optuna samples, finished ones included.", 1, flag_values=FLAGS
)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_string(
    "runs_dir", "runs", "Folder of the run directories, DATASET/search/MODEL-trialN.", flag_values=FLAGS
)
flags.DEFINE_string("results_dir", None, "Folder of the tables; default: RUNS_DIR/results.", flag_values=FLAGS)


def main() -> None:
    """Runs the trials that are not finished and writes the tables."""
    unknown = [model for model in FLAGS.models if model not in registry.MODELS]
    if unknown:
        raise FlagError(f"--models={','.join(FLAGS.models)}: choose from {','.join(registry.MODELS)}")
    path = settings_file(FLAGS.datasets_dir, FLAGS.dataset, "search.json")
    if path is None:
        raise FlagError(f"--dataset={FLAGS.dataset}: there is no {FLAGS.datasets_dir}/{FLAGS.dataset}/search.json")
    rows, failed = _sampled(path) if FLAGS.trials else _listed(path)
    folder = os.path.join(FLAGS.results_dir or os.path.join(FLAGS.runs_dir, "results"), FLAGS.dataset)
    print(f"written to {trials.write(folder, FLAGS.dataset, rows, sampled=FLAGS.trials is not None)}")
    if failed:
        raise UserError(f"{len(failed)} of {len(failed) + len(rows)} trials failed: {', '.join(failed)}")


def _listed(path):
    """Trains the trials that search.json lists; returns the rows of those that ended and the names of the others."""
    planned = trials.planned(
        search_space.read_space(path, FLAGS.models), FLAGS.dataset, FLAGS.datasets_dir, FLAGS.runs_dir
    )
    failed = run_all(list(planned), FLAGS.jobs)
    rows = [{**row, **trials.outcome(run.folder)} for run, row in planned.items() if run not in failed]
    return rows, [run.name for run in failed]


def _sampled(path):
    """Trains sampled trials; returns as `_listed`."""
    space = search_space.read_ranges(path, FLAGS.models)
    rows, failed = [], []
    for model in (name for name in space if name != search_space.ALL):
        search = SampledSearch(space, model, FLAGS.dataset, FLAGS.datasets_dir, FLAGS.runs_dir)
        failed += search.run(FLAGS.trials, FLAGS.jobs)
        rows += search.rows()
    return rows, failed


def command() -> None:
    """The console script."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
