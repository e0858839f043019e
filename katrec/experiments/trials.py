"""Trials of models with the settings that a data set's search.json lists, tabled by what the validation items say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from katrec.common import files
from katrec.common.command_line import UserError
from katrec.experiments.running import PlannedRun, common_flags
from katrec.experiments.search_space import ALL
from katrec.models import registry
from katrec.training import run_directory

# Of trials that were tabled before there was a choice.
FORMER_METRIC = "sampled/NDCG@10"
SEED = "1"


def planned(space: dict[str, Any], dataset: str, datasets_dir: str, runs_dir: str) -> dict[PlannedRun, dict[str, Any]]:
    """Returns {run: {"model": …, "trial": number, "flags": its own}} of all trials.

    Trial by trial, so that a search that is stopped has as many of each model.
    """
    models = [name for name in space if name != ALL]
    runs = {}
    for number in range(len(space[models[0]]["trials"])):
        for model in models:
            trial_flags = space[model]["trials"][number]
            chosen = {**space[ALL], **space[model].get("flags", {}), **trial_flags}
            arguments = (
                *common_flags(dataset, model, SEED, datasets_dir, runs_dir),
                *(f"--{flag}={value}" for flag, value in chosen.items()),
            )
            name = f"{model}-trial{number}"
            run = PlannedRun(name, os.path.join(runs_dir, dataset, "search", name), arguments)
            runs[run] = {"model": model, "trial": number, "flags": trial_flags}
    return runs


def outcome(folder: str) -> dict[str, Any]:
    """Returns what a finished run reached on the validation items by its stopping metric, its cost, and its origin.

    Raises:
      UserError: it has not ended.
    """
    result = run_directory.read_result(folder)
    if result is None:
        raise UserError(f"{folder}: the run has not ended")
    settings = run_directory.read_config(folder).settings
    made: dict[str, Any] = {name: result[name] for name in ("katrec", "commit", "machine", "date") if name in result}
    return {
        "metric": settings.stopping_metric,
        "valid": result["valid"][settings.stopping_protocol][settings.stopping_name],
        "steps": result["step"],
        "seconds": result["seconds"],
        **made,
    }


def write(folder: str, dataset: str, rows: Sequence[dict[str, Any]], sampled: bool = False) -> str:
    """Adds trials to trials.json, instead of earlier ones of the same number; returns the path of the new trials.md.

    Args:
      folder: where they are.
      dataset: the data set's name.
      rows: the trials.
      sampled: they are of `katrec.experiments.sampled`: their files are sampled.json and sampled.md.
    """
    name = "sampled" if sampled else "trials"
    log = os.path.join(folder, f"{name}.json")
    earlier = files.read_json(log) if os.path.exists(log) else []
    try:
        merged = {(row["model"], row["trial"]): row for row in [*earlier, *rows]}
    except (TypeError, KeyError):
        raise UserError(f"{log}: not a list of trials; move it away, finished trials are not repeated") from None
    ordered = [merged[key] for key in sorted(merged)]
    files.write_json(log, ordered)
    table = os.path.join(folder, f"{name}.md")
    with files.replacing(table) as file:
        file.write(markdown(dataset, ordered, sampled))
    return table


def markdown(dataset: str, rows: Sequence[dict[str, Any]], sampled: bool = False) -> str:
    """Returns the trials as Markdown, each model's best first; arguments as of `write`."""
    command = f"`python -m katrec.search --dataset={dataset}{' --trials=…' if sampled else ''}`"
    origin = "machine and date of each trial are in trials.json."
    if sampled:
        origin = (
            "sampler, machine and date of each trial are in sampled.json. A pruned trial ended at the step that it "
            "has, with the best value up to there. Models need not have equal numbers of trials here."
        )
    lines = [
        f"# Trials on {dataset}",
        "",
        f"The stopping metric of each trial's best weights on the validation items; seed {SEED}. Flags that a row does "
        f"not name are those of datasets/{dataset}/search.json. From {command}; {origin}",
        "",
        "| model | trial | flags | steps | seconds | metric | valid |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in sorted(rows, key=lambda row: (row["model"], _metric(row), -row["valid"])):
        chosen = " ".join(f"--{name}={value}" for name, value in row["flags"].items()) or "none of its own"
        pruned = " (pruned)" if row.get("state") == "pruned" else ""
        lines.append(
            f"| {registry.MODELS[row['model']].title} | {row['trial']} | {chosen} | {row['steps']}{pruned} | "
            f"{row['seconds']:.0f} | {_metric(row)} | {row['valid']:.4f} |"
        )
    return "\n".join(lines) + "\n"


def _metric(row):
    return row.get("metric", FORMER_METRIC)
