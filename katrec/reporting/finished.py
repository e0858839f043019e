"""Finished runs, read back from their directories."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
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
    """Returns `Finished`, or None where the run has not ended."""
    result = run_directory.read_result(folder)
    if result is None:
        return None
    with open(os.path.join(folder, run_directory.METRICS), encoding="utf-8") as file:
        history = [json.loads(row) for row in file]
    with np.load(os.path.join(folder, run_directory.RANKS), allow_pickle=False) as ranks:
        return Finished(folder, run_directory.read_config(folder).settings, result, history, dict(ranks))


def values(runs: Sequence[Finished], protocol: str, metric: str) -> np.ndarray:
    """Returns a test metric of each run, float[runs]."""
    return np.array([run.result["test"][protocol][metric] for run in runs])


def user_values(runs: Sequence[Finished], protocol: str, metric: str) -> np.ndarray:
    """Returns each test user's mean over the runs of a metric, float[users]."""
    return np.mean([per_user(run.ranks[protocol], metric) for run in runs], axis=0)
