"""Lines under a table that say how its numbers were made."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from katrec.common import provenance
from katrec.models import registry
from katrec.reporting.finished import Finished

PACKAGES = ("tensorflow", "numpy", "scipy", "pandas")


def notes(
    runs: Mapping[tuple[str, str], Sequence[Finished]], seeds: Sequence[str], titles: Mapping[str, str]
) -> list[str]:
    """Returns the lines: command, seeds, each run's steps and seconds, version, machine, date.

    Args:
      runs: {(model, variant): [`Finished`, one for each seed]}.
      seeds: in their order.
      titles: {variant of KATRec: its name in the tables}.
    """
    lines = [f"Command: `{command()}`", f"Seeds: {', '.join(seeds)}"]
    for (model, variant), of_model in runs.items():
        steps, seconds = (", ".join(f"{run.result[name]:.0f}" for run in of_model) for name in ("step", "seconds"))
        result = of_model[0].result
        lines.append(
            f"{title(model, variant, titles)}: steps {steps}; seconds {seconds}; {result['precision']} products; "
            f"{result['users']} test users"
            + (f" ({result['users_left_out']} left out)" if result.get("users_left_out") else "")
        )
    version = provenance.version()
    return [
        *lines,
        f"Version: katrec {version['katrec']}, commit {version['commit']}",
        f"Machine: {provenance.machine()}",
        f"Date: {provenance.today()}",
        f"Each run's weights are those with the best validation {' or '.join(stopping_metrics(runs))}.",
    ]


def stopping_metrics(runs: Mapping[tuple[str, str], Sequence[Finished]]) -> list[str]:
    """Returns which rankings of the validation items chose the runs' weights."""
    return sorted({run.settings.stopping_metric for of_model in runs.values() for run in of_model})


def title(model: str, variant: str, titles: Mapping[str, str]) -> str:
    """Returns what tables call a model, or a variant of it; arguments as in `notes`."""
    name = registry.MODELS[model].title
    return name if variant == "none" else f"{name}, {titles[variant]}"


def command() -> str:
    """Returns the command of this process as it can be typed."""
    return shlex.join(["./run_experiments.sh", *sys.argv[1:]])


def origin() -> dict[str, Any]:
    """Returns the same for a file of numbers: command, machine, date and versions."""
    return {
        "command": command(),
        "machine": provenance.machine(),
        "date": provenance.today(),
        "versions": {**provenance.version(), **{name: metadata.version(name) for name in PACKAGES}},
    }
