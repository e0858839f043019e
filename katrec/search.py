"""Trains every model with the settings that a data set's search.json lists, and tables what the validation items say.

  python -m katrec.search --dataset=beauty [--models=bert4rec,katrec] [--jobs=2]

DATASETS_DIR/DATASET/search.json: {"all": {flag: value, …}, MODEL: {"flags": {…}, "trials": [{…}, …]}, …}. A trial has
the flags of "all", of its model and its own, which override each other in this order; every model has the same number
of trials. Writes RESULTS_DIR/DATASET/trials.md, a model's best first, and trials.json; a finished trial is not
repeated, so that more may be added at the end of the lists.
"""

import os

from absl import flags

from katrec.reporting.machine import machine, today
from katrec.reporting.names import MODELS
from katrec.running import Run, flags_of, run_all
from katrec.training import run_directory
from katrec_common import files
from katrec_common.command_line import FlagError, UserError, run

FLAGS = flags.FLAGS
flags.DEFINE_string("dataset", None, "A prepared data set.", required=True)
flags.DEFINE_list("models", list(MODELS), "The models to tune.")
flags.DEFINE_integer("jobs", 1, "Trials that run at a time, each on its share of the processor's cores.", 1)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.")
flags.DEFINE_string("runs_dir", "runs", "Folder of the run directories, DATASET/search/MODEL-trialN.")
flags.DEFINE_string("results_dir", "results", "Folder of the tables.")

METRIC = "NDCG@10"


def main():
    unknown = [model for model in FLAGS.models if model not in MODELS]
    if unknown or not FLAGS.models:
        raise FlagError(f"--models={','.join(FLAGS.models)}: choose from {','.join(MODELS)}")
    path = os.path.join(FLAGS.datasets_dir, FLAGS.dataset, "search.json")
    space = read_space(path, FLAGS.models)
    # Trial by trial, so that a search that is stopped has as many of each model.
    trials = {
        _run(model, number, {**space.get("all", {}), **space[model].get("flags", {}), **chosen}): {
            "model": model,
            "trial": number,
            "flags": chosen,
        }
        for number in range(len(space[FLAGS.models[0]]["trials"]))
        for model in FLAGS.models
        for chosen in [space[model]["trials"][number]]
    }
    failed = run_all(list(trials), FLAGS.jobs)
    log = os.path.join(FLAGS.results_dir, FLAGS.dataset, "trials.json")
    rows = {(row["model"], row["trial"]): row for row in (files.read_json(log) if os.path.exists(log) else [])}
    for trial, row in trials.items():
        if trial not in failed:
            rows[row["model"], row["trial"]] = {**row, **outcome(trial.folder), "machine": machine(), "date": today()}
    rows = [rows[key] for key in sorted(rows)]
    files.write_json(log, rows)
    table = os.path.join(FLAGS.results_dir, FLAGS.dataset, "trials.md")
    with files.replacing(table) as file:
        file.write(markdown(FLAGS.dataset, rows))
    print(f"written to {table}")
    if failed:
        raise UserError(f"{len(failed)} of {len(trials)} trials failed: {', '.join(one.name for one in failed)}")


def read_space(path, models):
    """Returns the content of a search.json.

    Raises:
      UserError: a model of `models` is missing, or has another number of trials.
    """
    space = files.read_json(path)
    counts = {model: len(space.get(model, {}).get("trials", [])) for model in models}
    if 0 in counts.values() or len(set(counts.values())) > 1:
        raise UserError(
            f"{path}: every model needs the same number of trials, there are "
            + ", ".join(f"{count} of {model}" for model, count in counts.items())
        )
    return space


def outcome(folder):
    """Returns what a finished run reached on the validation items, and what it took."""
    result = run_directory.read_result(folder)
    return {"valid": result["valid"]["sampled"][METRIC], "steps": result["step"], "seconds": result["seconds"]}


def markdown(dataset, rows):
    """Returns the trials as Markdown, each model's best first."""
    lines = [
        f"# Trials on {dataset}",
        "",
        f"Sampled ranking of the validation items, {METRIC} of the best weights; seed 1. Flags that a row does not "
        f"name are those of datasets/{dataset}/search.json. From `python -m katrec.search --dataset={dataset}`; "
        "machine and date of each trial are in trials.json.",
        "",
        "| model | trial | flags | steps | seconds | valid |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in sorted(rows, key=lambda row: (row["model"], -row["valid"])):
        chosen = " ".join(f"--{name}={value}" for name, value in row["flags"].items()) or "none of its own"
        lines.append(
            f"| {MODELS[row['model']]} | {row['trial']} | {chosen} | {row['steps']} | {row['seconds']:.0f} | "
            f"{row['valid']:.4f} |"
        )
    return "\n".join(lines) + "\n"


def _run(model, number, chosen):
    name = f"{model}-trial{number}"
    arguments = (
        *flags_of(FLAGS.dataset, model, 1, FLAGS.datasets_dir, FLAGS.runs_dir),
        *(f"--{flag}={value}" for flag, value in chosen.items()),
    )
    return Run(name, os.path.join(FLAGS.runs_dir, FLAGS.dataset, "search", name), arguments)


if __name__ == "__main__":
    run(main)
