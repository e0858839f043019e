"""Finished runs, read back from their directories."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np

from katrec.evaluation.metrics import per_user
from katrec.settings import Settings
from katrec.training import run_directory


class Finished(NamedTuple):
    """What one finished run left.

    Attributes:
      folder: its run directory.
      settings: the run's.
      result: result.json.
      history: the rows of metrics.jsonl.
      ranks: {"users": int[n], "sampled": int[n], "full": int[n]}, the test items' ranks.
    """

    folder: str
    settings: Settings
    result: dict[str, Any]
    history: list[dict[str, Any]]
    ranks: dict[str, np.ndarray]


def read(folder: str) -> Optional[Finished]:
    """Returns `Finished`, or None where the run has not ended.

    Raises:
      UserError: a file of it is damaged.
    """
    result = run_directory.read_result(folder)
    if result is None:
        return None
    history = run_directory.read_rows(os.path.join(folder, run_directory.METRICS))
    settings = run_directory.read_config(folder).settings
    return Finished(folder, settings, result, history, run_directory.read_ranks(folder))


def read_all(
    folders: Mapping[tuple[str, str, str], str], seeds: Sequence[str]
) -> tuple[dict[tuple[str, str, str], Finished], dict[tuple[str, str], list[Finished]]]:
    """Returns the finished runs, by (model, variant, seed), and in the order of the seeds by (model, variant).

    Args:
      folders: {(model, variant, seed): run directory}.
      seeds: in their order.
    """
    finished = {key: run for key, run in ((key, read(path)) for key, path in folders.items()) if run}
    runs: dict[tuple[str, str], list] = {}
    for seed in seeds:
        for (model, variant, of_seed), run in finished.items():
            if of_seed == seed:
                runs.setdefault((model, variant), []).append(run)
    return finished, runs


def as_json(finished: Mapping[tuple[str, str, str], Finished]) -> list[dict[str, Any]]:
    """Returns the results and flags of runs by (model, variant, seed)."""
    return [
        {
            "model": model,
            "variant": variant,
            "seed": int(seed),
            "result": run.result,
            "flags": dataclasses.asdict(run.settings),
        }
        for (model, variant, seed), run in finished.items()
    ]


def values(runs: Sequence[Finished], protocol: str, metric: str) -> np.ndarray:
    """Returns a test metric of each run, float[runs]."""
    return np.array([run.result["test"][protocol][metric] for run in runs])


def user_values(runs: Sequence[Finished], protocol: str, metric: str) -> np.ndarray:
    """Returns each test user's mean over the runs of a metric, float[users]."""
    return np.mean([per_user(run.ranks[protocol], metric) for run in runs], axis=0)
