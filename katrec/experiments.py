"""Prepares the data, trains and evaluates every model, and writes the paper's tables and figures.

  ./run_experiments.sh [DATASET …] [--models=katrec,bert4rec] [--ablations=all] [--seeds=1,2,3] [--jobs=2] [--dry_run]

No data set: ml-100k. Each run has the flags of DATASETS_DIR/DATASET/flags.txt and, where there is one, MODEL.txt there.
A finished run is not repeated, an interrupted one goes on, one that fails does not stop the others. RESULTS_DIR/DATASET
gets table1.md to table3.md, the figures, results.json and report.html, which has everything on one page.
"""

import os
import subprocess
import sys

from absl import flags

from katrec.reporting.names import MODELS, OPEN_CHOICES, PAPER_VARIANTS, VARIANTS
from katrec.running import Run, flagfiles, flags_of, printable, run_all
from katrec_common.command_line import FlagError, UserError, run
from katrec_common.paper import TABLE_1

FLAGS = flags.FLAGS
flags.DEFINE_list("models", list(MODELS), "The models to train.")
flags.DEFINE_list(
    "ablations",
    [],
    f"KATRec's variants for Table 3: {', '.join(list(VARIANTS)[1:])}; all: the paper's; "
    f"open: {', '.join(OPEN_CHOICES)}.",
)
flags.DEFINE_list("seeds", ["1"], "A run of each model and variant a seed; the tables have means over them.")
flags.DEFINE_list("ablation_seeds", None, "The seeds of KATRec's variants, where fewer are wanted; default: --seeds.")
flags.DEFINE_integer("jobs", 1, "Runs that are trained at a time, each on its share of the processor's cores.", 1)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets and their flags.")
flags.DEFINE_string("runs_dir", "runs", "Folder of the run directories, DATASET/MODEL-seedN.")
flags.DEFINE_string("results_dir", "results", "Folder of the tables and figures.")
flags.DEFINE_boolean("dry_run", False, "Print what would be run, and stop.")

GROUPS = {"all": PAPER_VARIANTS, "open": OPEN_CHOICES}
DEFAULT_DATASETS = ("ml-100k",)
# Prepared from the name alone.
FETCHED_DATASETS = ("ml-100k",)


def main(datasets):
    datasets = list(dict.fromkeys(datasets)) or list(DEFAULT_DATASETS)
    _check_flags(datasets)
    plans = {dataset: plan(dataset) for dataset in datasets}
    preparations = {dataset: command for dataset in datasets for command in _preparation(dataset)}
    runs = [one for own in plans.values() for one in own.values()]
    if FLAGS.dry_run:
        print("\n".join(printable(command) for command in [*preparations.values(), *(one.command for one in runs)]))
        print(f"would then write {', '.join(os.path.join(FLAGS.results_dir, dataset) for dataset in datasets)}")
        return
    failed = []
    for dataset, command in preparations.items():
        print(printable(command), flush=True)
        if subprocess.run(command, check=False).returncode:
            failed.append(f"preparing {dataset}")
            del plans[dataset]
    errors = run_all([one for own in plans.values() for one in own.values()], FLAGS.jobs)
    failed += [one.name for one in errors]
    # TensorFlow takes seconds to import: all else comes first.
    from katrec.reporting.write import write

    for dataset, own in plans.items():
        finished = {key: one.folder for key, one in own.items() if one not in errors}
        if finished:
            folder = os.path.join(FLAGS.results_dir, dataset)
            print(f"\n{write(folder, FLAGS.datasets_dir, dataset, finished, FLAGS.seeds)}\nwritten to {folder}")
    if failed:
        raise UserError(
            f"failed: {', '.join(failed)}; the messages are above; the same command tries again and goes "
            "on where the others stopped"
        )


def plan(dataset):
    """Returns {(model, variant, seed): `Run`} of a data set.

    Figure 5 needs KATRec without positional embedding: one seed of it is trained beside KATRec.
    """
    keys = [(model, "none", seed) for seed in FLAGS.seeds for model in FLAGS.models]
    keys += [("katrec", variant, seed) for seed in FLAGS.ablation_seeds or FLAGS.seeds for variant in _ablations()]
    if "katrec" in FLAGS.models:
        keys.append(("katrec", "no_position", FLAGS.seeds[0]))
    runs = {}
    for model, variant, seed in keys:
        name = f"{model}{'' if variant == 'none' else f'-{variant}'}-seed{seed}"
        folder = os.path.join(FLAGS.runs_dir, dataset, name)
        arguments = (
            *flagfiles(FLAGS.datasets_dir, dataset, model),
            *flags_of(dataset, model, seed, FLAGS.datasets_dir, FLAGS.runs_dir),
            *VARIANTS[variant][1],
        )
        runs[model, variant, seed] = Run(f"{dataset}/{name}", folder, arguments)
    return runs


def _ablations():
    named = [one for name in FLAGS.ablations for one in GROUPS.get(name, [name])]
    return list(dict.fromkeys(named))


def _check_flags(datasets):
    for name, given, offered in (("models", FLAGS.models, MODELS), ("ablations", _ablations(), list(VARIANTS)[1:])):
        if not set(given) <= set(offered) or (name == "models" and not given):
            raise FlagError(f"--{name}={','.join(given)}: choose from {','.join(offered)}")
    if FLAGS.ablations and "katrec" not in FLAGS.models:
        raise FlagError("--ablations are variants of katrec, which --models leaves out")
    if not FLAGS.seeds or not all(seed.isdecimal() for seed in FLAGS.seeds):
        raise FlagError(f"--seeds={','.join(FLAGS.seeds)}: whole numbers separated by commas")
    if not set(FLAGS.ablation_seeds or []) <= set(FLAGS.seeds):
        raise FlagError(f"--ablation_seeds={','.join(FLAGS.ablation_seeds)}: must be among --seeds")
    for dataset in datasets:
        path = os.path.join(FLAGS.datasets_dir, dataset, "flags.txt")
        if not os.path.exists(path):
            raise FlagError(f"data set {dataset}: there is no {path} with its training flags")


def _preparation(dataset):
    """Returns the command that prepares a data set, in a list; none where it is prepared.

    Raises:
      UserError: its files must be brought by hand.
    """
    if os.path.exists(os.path.join(FLAGS.datasets_dir, dataset, "manifest.json")):
        return []
    if dataset not in FETCHED_DATASETS:
        source = "" if dataset in TABLE_1 else " --source=atomic"
        raise UserError(
            f"{FLAGS.datasets_dir}/{dataset}: not prepared; run: python -m preprocess --dataset={dataset}"
            f"{source} --raw_dir=DIR, with the filters that its flags.txt names"
        )
    return [[sys.executable, "-m", "preprocess", f"--dataset={dataset}", f"--datasets_dir={FLAGS.datasets_dir}"]]


if __name__ == "__main__":
    run(main, positional=True)
