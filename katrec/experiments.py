"""Prepares the data, trains and evaluates every model, writes RESULTS_DIR/DATASET/table2.md and prints it.

  ./run_experiments.sh [--dataset=ml-100k] [--models=bert4rec,katrec] [--seeds=1] [--dry_run]

Each model is trained with DATASETS_DIR/DATASET/flags.txt. A finished run is not repeated; an interrupted one goes on.
"""

import datetime
import os
import shlex
import subprocess
import sys

from absl import flags

from katrec.reporting.machine import machine
from katrec.reporting.table2 import TITLES, table2
from katrec_common import files
from katrec_common.command_line import FlagError, UserError, run

FLAGS = flags.FLAGS
flags.DEFINE_string("dataset", "ml-100k", "The data set; it is prepared first where it is known by name.")
flags.DEFINE_list("models", list(TITLES), "The models to train.")
flags.DEFINE_list("seeds", ["1"], "A run of each model a seed; the table has means over them.")
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets and their flags.txt.")
flags.DEFINE_string("runs_dir", "runs", "Folder of the run directories, DATASET/MODEL-seedN.")
flags.DEFINE_string("results_dir", "results", "Folder of the tables.")
flags.DEFINE_boolean("dry_run", False, "Print what would be run, and stop.")

KNOWN_DATASETS = ("ml-100k",)


def main():
    _check_flags()
    dataset = FLAGS.dataset
    runs = {(model, seed): os.path.join(FLAGS.runs_dir, dataset, f"{model}-seed{seed}")
            for model in FLAGS.models for seed in FLAGS.seeds}
    commands = _preparation(dataset) + [_training(dataset, *key, folder) for key, folder in runs.items()]
    table = os.path.join(FLAGS.results_dir, dataset, "table2.md")
    if FLAGS.dry_run:
        print("\n".join(map(_printable, commands)))
        print(f"would then write {table}")
        return
    for number, command in enumerate(commands, start=1):
        print(f"[{number}/{len(commands)}] {_printable(command)}", flush=True)
        if subprocess.run(command, check=False).returncode:
            raise UserError(f"this command failed, its message is above: {_printable(command)}; "
                            "the same command goes on from where it stopped")
    results = {model: [files.read_json(os.path.join(runs[model, seed], "result.json")) for seed in FLAGS.seeds]
               for model in FLAGS.models}
    config = files.read_json(os.path.join(runs[FLAGS.models[0], FLAGS.seeds[0]], "config.json"))
    text = table2(results, config["num_negatives"], _notes(results))
    with files.replacing(table) as file:
        file.write(text)
    print(f"\n{text}\nwritten to {table}")


def _check_flags():
    unknown = [model for model in FLAGS.models if model not in TITLES]
    if unknown or not FLAGS.models:
        raise FlagError(f"--models={','.join(FLAGS.models)}: choose from {','.join(TITLES)}")
    if not FLAGS.seeds or not all(seed.isdecimal() for seed in FLAGS.seeds):
        raise FlagError(f"--seeds={','.join(FLAGS.seeds)}: whole numbers separated by commas")
    if not os.path.exists(_flagfile(FLAGS.dataset)):
        raise FlagError(f"--dataset={FLAGS.dataset}: there is no {_flagfile(FLAGS.dataset)} with its training flags")


def _flagfile(dataset):
    return os.path.join(FLAGS.datasets_dir, dataset, "flags.txt")


def _preparation(dataset):
    if os.path.exists(os.path.join(FLAGS.datasets_dir, dataset, "manifest.json")):
        return []
    if dataset not in KNOWN_DATASETS:
        raise UserError(f"{FLAGS.datasets_dir}/{dataset}: not prepared; run: python -m preprocess --dataset={dataset} "
                        "--source=atomic --raw_dir=DIR with the filters that its flags.txt names")
    return [[sys.executable, "-m", "preprocess", f"--dataset={dataset}", f"--datasets_dir={FLAGS.datasets_dir}"]]


def _training(dataset, model, seed, folder):
    return [sys.executable, "-m", "katrec.train", f"--flagfile={_flagfile(dataset)}", f"--model={model}",
            f"--seed={seed}", f"--datasets_dir={FLAGS.datasets_dir}", f"--output_dir={folder}"]


def _printable(command):
    return shlex.join(["python", *command[1:]])


def _notes(results):
    command = shlex.join(["./run_experiments.sh", *sys.argv[1:]])
    seconds = {TITLES[model]: [f"{run['seconds']:.0f}" for run in runs] for model, runs in results.items()}
    steps = {TITLES[model]: [str(run["step"]) for run in runs] for model, runs in results.items()}
    return [
        f"Command: `{command}`",
        f"Seeds: {', '.join(FLAGS.seeds)}; test users: {next(iter(results.values()))[0]['users']}",
        *(f"{model}: steps {', '.join(steps[model])}; seconds {', '.join(seconds[model])}" for model in steps),
        f"Machine: {machine()}",
        f"Date: {datetime.date.today().isoformat()}",
        "Each run's weights are those with the best validation NDCG@10.",
    ]


if __name__ == "__main__":
    run(main)
