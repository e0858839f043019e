"""Prepares the data, trains and evaluates every model, and writes the paper's tables and figures.

  ./run_experiments.sh [DATASET …] [--models=katrec,bert4rec] [--ablations=all] [--seeds=1,2,3] [--jobs=2] [--dry_run]

No data set: ml-100k. Of the paper's, amazon-book is fetched whole, after its size was shown; of lastfm and yelp2018 it
is said which file to bring. Each run has the flags of DATASETS_DIR/DATASET/flags.txt and, where there is one, MODEL.txt
there. A finished run is not repeated, an interrupted one goes on, one that fails does not stop the others.
RESULTS_DIR/DATASET gets table1.md to table3.md, the figures, results.json and report.html, which has everything on one
page.
"""

from __future__ import annotations

import os
import subprocess

from absl import flags

from katrec.common import command_line
from katrec.common.command_line import UserError
from katrec.common.rankings import RANKINGS
from katrec.common.threads import JOBS, default_jobs
from katrec.data.dataset import load
from katrec.experiments.children import Children
from katrec.experiments.planning import GROUPS, Plan, longest_first, named_ablations, preparation
from katrec.experiments.running import printable, run_all
from katrec.experiments.variants import ABLATIONS
from katrec.models import registry

FLAGS = flags.FlagValues()
flags.DEFINE_list(
    "models",
    [name for name, entry in registry.MODELS.items() if entry.by_default],
    f"The models to train: {', '.join(registry.MODELS)}; all: each of them.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "ablations",
    [],
    f"KATRec's variants for Table 3: {', '.join(ABLATIONS)}; all: the paper's; open: {', '.join(GROUPS['open'])}; "
    f"next_item: {', '.join(GROUPS['next_item'])}, which are variants of katrec_next_item.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "seeds", ["1"], "Each model and variant is run once with each; the tables have means over them.", flag_values=FLAGS
)
flags.DEFINE_list(
    "ablation_seeds",
    None,
    "The seeds of KATRec's variants, where fewer are wanted; default: --seeds.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "jobs",
    default_jobs(),
    f"Runs that are trained at a time, each on its share of the processor's cores; {JOBS}",
    1,
    flag_values=FLAGS,
)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the data sets and their flags.", flag_values=FLAGS)
flags.DEFINE_string("runs_dir", "runs", "Folder of the run directories, DATASET/MODEL-seedN.", flag_values=FLAGS)
flags.DEFINE_string(
    "results_dir", None, "Folder of the tables and figures; default: RUNS_DIR/results.", flag_values=FLAGS
)
flags.DEFINE_float(
    "cold_item_share",
    0.0,
    "The protocol of new items instead: so many of the items lose their training and validation interactions, and "
    "cold.md says how they are ranked (docs/cold-items.md).",
    0,
    0.99,
    flag_values=FLAGS,
)
flags.DEFINE_integer("cold_seed", 1, "Which items those are.", 0, flag_values=FLAGS)
flags.DEFINE_enum(
    "stopping_metric",
    None,
    RANKINGS,
    "Which ranking of the validation items chooses the weights of every model; default: what its flags say.",
    flag_values=FLAGS,
)
flags.DEFINE_boolean("yes", False, "Fetch a data set's raw files without asking, however large.", flag_values=FLAGS)
flags.DEFINE_boolean("dry_run", False, "Print what would be run, and stop.", flag_values=FLAGS)

DEFAULT_DATASETS = ("ml-100k",)


def main(datasets: list[str]) -> None:
    """Carries out the plan of the flags on data sets.

    Args:
      datasets: their names; none for ml-100k.
    """
    datasets = list(dict.fromkeys(datasets)) or list(DEFAULT_DATASETS)
    results_dir = FLAGS.results_dir or os.path.join(FLAGS.runs_dir, "results")
    if FLAGS.ablation_seeds and not FLAGS.ablations:
        raise command_line.FlagError("--ablation_seeds goes with --ablations")
    plan = Plan(
        list(registry.MODELS) if FLAGS.models == ["all"] else FLAGS.models,
        named_ablations(FLAGS.ablations),
        FLAGS.seeds,
        FLAGS.ablation_seeds or FLAGS.seeds,
        FLAGS.datasets_dir,
        FLAGS.runs_dir,
        FLAGS.cold_item_share,
        FLAGS.cold_seed,
        FLAGS.stopping_metric,
    )
    plan.check(datasets)
    planned = {dataset: plan.runs(dataset) for dataset in datasets}
    preparations = {dataset: preparation(FLAGS.datasets_dir, dataset) for dataset in datasets}
    if FLAGS.dry_run:
        commands = [
            *(command for commands in preparations.values() for command in commands),
            *(run.command for runs in planned.values() for run in longest_first(runs)),
        ]
        print("\n".join(map(printable, commands)))
        print(f"would then write {', '.join(os.path.join(results_dir, dataset) for dataset in datasets)}")
        return
    failed = []
    for dataset, commands in preparations.items():
        for fetch in [] if FLAGS.yes else commands[:-1]:
            _ask(fetch)
        if not all(map(_succeeds, commands)):
            failed.append(f"preparing {dataset}")
            del planned[dataset]
    errors = run_all([run for runs in planned.values() for run in longest_first(runs)], FLAGS.jobs)
    failed += [run.name for run in errors]
    # TensorFlow takes seconds to import: all else comes first.
    from katrec.reporting import cold
    from katrec.reporting.write import write

    titles = {"none": registry.MODELS["katrec"].title, **{name: one.title for name, one in ABLATIONS.items()}}
    for dataset, runs in planned.items():
        finished = {key: run.folder for key, run in runs.items() if run not in errors}
        folder = os.path.join(results_dir, dataset)
        if finished and plan.cold_item_share:
            whole = load(FLAGS.datasets_dir, dataset)
            text = cold.write(folder, whole, finished, FLAGS.seeds, plan.cold_item_share, plan.cold_seed)
            print(f"\n{text}\nwritten to {os.path.join(folder, 'cold.md')}")
        elif finished:
            text = write(folder, FLAGS.datasets_dir, dataset, finished, FLAGS.seeds, titles, GROUPS["open"])
            print(f"\n{text}\nwritten to {folder}; all of it on one page: {os.path.join(folder, 'report.html')}")
    if failed:
        raise UserError(
            f"failed: {', '.join(failed)}; the messages are above; the same command tries again and goes "
            "on where the others stopped"
        )


def _ask(fetch):
    """Shows what a command would fetch; returns where the user agrees, or nothing is to be fetched.

    Raises:
      UserError: they do not, or cannot be asked.
    """
    listed = subprocess.run([*fetch, "--list"], stdout=subprocess.PIPE, text=True, check=False).stdout
    if not listed:
        return
    try:
        answer = input(f"{listed}fetch this? [y/N] ")
    except EOFError:
        raise UserError("nothing was fetched: there is nobody to ask; --yes fetches without asking") from None
    if answer.strip().lower() not in ("y", "yes"):
        raise UserError("nothing was fetched, as you said")


def _succeeds(command):
    print(printable(command), flush=True)
    return Children().run(command) == 0


def command() -> None:
    """The console script."""
    command_line.run(main, FLAGS, positional=True)


if __name__ == "__main__":
    command()
