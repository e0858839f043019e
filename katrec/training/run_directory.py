"""What a run directory holds beside its checkpoints: config.json, result.json, ranks.npz, metrics.jsonl (`log.py`)."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import numpy as np

from katrec import settings as settings_module
from katrec.common import beside, files, sealed
from katrec.common.command_line import UserError
from katrec.common.rankings import PROTOCOLS, SPLITS
from katrec.data.cold_items import hold_out
from katrec.data.dataset import Dataset, load
from katrec.settings import Settings

CONFIG, METRICS, RESULT, RANKS = "config.json", "metrics.jsonl", "result.json", "ranks.npz"
TRACKING = "tracking.json"  # The run's id in another store (`tracking.py`).
# Of config.json. 1, of version 0.1: no "format", other settings for the ablations, and paths among the settings.
FORMAT = 2
OF_FORMAT_1 = ("output_dir", "pretrained_dir", "resume")
# The settings that may differ between the run that wrote a directory and the one that goes on in it.
FREE = ("distribution", "ks")


class RunConfig(NamedTuple):
    """What config.json keeps.

    Attributes:
      dataset: the data set's name.
      datasets_dir: where it was prepared.
      settings: the run's settings.
      checksums: SHA-256 of each prepared file.
    """

    dataset: str
    datasets_dir: str
    settings: Settings
    checksums: Mapping[str, str]

    def flat(self) -> dict[str, Any]:
        """Returns names and values as config.json has them."""
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "datasets_dir": self.datasets_dir,
            **dataclasses.asdict(self.settings),
            "data": dict(self.checksums),
        }


def claim(output_dir: str, config: RunConfig, resume: bool = True) -> None:
    """Makes `output_dir` this run's: writes config.json, or checks that it holds the same settings.

    Args:
      output_dir: the run directory.
      config: the run's.
      resume: go on where an earlier run stopped; without it whatever the directory holds of one is removed.

    Raises:
      UserError: the directory belongs to a run with other settings or other data.
    """
    path = os.path.join(output_dir, CONFIG)
    # Only what is a run directory is cleared: another folder's "checkpoints" are not ours.
    if os.path.exists(path) and not resume:
        _clear(output_dir)
    if os.path.exists(path):
        stored = read_config(output_dir)
        changed = _differences(config, stored)
        if changed:
            raise UserError(
                f"{output_dir}: made with other settings: {'; '.join(changed)}; "
                "choose another --output_dir, or --noresume to begin anew there"
            )
        check_data(stored, config.checksums)
    sealed.write(path, config.flat())


def read_config(output_dir: str) -> RunConfig:
    """Returns what config.json in `output_dir` holds; settings that an older version did not have get their defaults.

    Raises:
      UserError: there is none, or it is of a newer version or damaged.
    """
    path = os.path.join(output_dir, CONFIG)
    if not os.path.exists(path):
        raise UserError(f"{output_dir}: no config.json, this is not a run directory of katrec.train")
    values = sealed.read(path)
    texts = (values.get("dataset"), values.get("datasets_dir", ""))
    if not isinstance(values.get("data"), dict) or not all(isinstance(text, str) for text in texts):
        raise UserError(f"{path}: not a run's config.json; train again in another --output_dir")
    version = values.pop("format", 1)
    if version not in (1, FORMAT):
        raise UserError(f"{path}: has format {version}, this version of katrec reads 1 and {FORMAT}; update katrec")
    if version == 1:
        values = {name: value for name, value in values.items() if name not in OF_FORMAT_1}
        if values.get("ablation") == "none":
            del values["ablation"]
    dataset, datasets_dir, checksums = (values.pop(name, "datasets") for name in ("dataset", "datasets_dir", "data"))
    return RunConfig(dataset, datasets_dir, settings_module.from_dict(values, path), checksums)


def read_result(output_dir: str) -> Optional[dict[str, Any]]:
    """Returns result.json of a finished run, or None.

    Raises:
      UserError: it is damaged, or no result.
    """
    path = os.path.join(output_dir, RESULT)
    if not os.path.exists(path):
        return None
    result = sealed.read(path)
    names = ("dataset", "model", "seed", "step", "seconds", "users")
    parts = [result.get(split) for split in SPLITS]
    whole = all(isinstance(part, dict) and all(isinstance(part.get(one), dict) for one in PROTOCOLS) for part in parts)
    if not whole or any(name not in result for name in names):
        raise UserError(f"{path}: not the result of a run; delete the file, then the same command makes it again")
    return result


def read_ranks(output_dir: str) -> dict[str, np.ndarray]:
    """Returns ranks.npz: {"users": int[n], "sampled": int[n], "full": int[n]}.

    Raises:
      UserError: it is missing or damaged.
    """
    return files.read_arrays(os.path.join(output_dir, RANKS), ("users", *PROTOCOLS))


def read_rows(path: str) -> list[dict[str, Any]]:
    """Returns the rows of a metrics.jsonl; the half of a row that a killed run may leave at the end is passed over.

    Raises:
      UserError: a row is damaged.
    """
    rows: list[dict[str, Any]] = []
    if not os.path.exists(path):
        return rows
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            place = f"{path}: line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict) or not isinstance(row.get("step"), int):
                raise UserError(f"{place}: damaged; delete the line: only the curve of the run's progress has it")
            rows.append(sealed.opened(row, place))
    return rows


def write_result(
    output_dir: str, result: Mapping[str, Any], users: np.ndarray, ranks: Mapping[str, np.ndarray]
) -> None:
    """Writes result.json, and before it ranks.npz: the test users and their targets' ranks by protocol, int[n] each."""
    with files.replacing(os.path.join(output_dir, RANKS), "wb") as file:
        np.savez(file, users=users, sampled=ranks["sampled"], full=ranks["full"])
    sealed.write(os.path.join(output_dir, RESULT), result)


def check_data(config: RunConfig, checksums: Mapping[str, str]) -> None:
    """Checks that a run was trained on the prepared files at hand.

    Raises:
      UserError: it was not.
    """
    changed = sorted(name for name in config.checksums if config.checksums[name] != checksums.get(name))
    if changed:
        raise UserError(
            f"data set {config.dataset}: {', '.join(changed)} changed since the run was trained; "
            "prepare it again with the same settings, or train again in another --output_dir"
        )


def as_trained(dataset: Dataset, settings: Settings) -> Dataset:
    """Returns what a run of these settings is trained on: a data set without what its cold items lose."""
    return hold_out(dataset, settings.cold_item_share, settings.cold_seed)


def read_data(config: RunConfig, datasets_dir: Optional[str] = None) -> Dataset:
    """Returns what a run was trained on.

    Args:
      config: the run's.
      datasets_dir: where the data set is; if not given, where it was at the training.

    Raises:
      UserError: it is not there, or was prepared otherwise.
    """
    dataset = load(datasets_dir or config.datasets_dir, config.dataset)
    check_data(config, dataset.checksums)
    return as_trained(dataset, config.settings)


def _differences(config, stored):
    """Returns a text for each setting that two runs do not share, free ones left out."""
    new, old = ({"dataset": one.dataset, **dataclasses.asdict(one.settings)} for one in (config, stored))
    return [f"--{name}={new[name]} (was {old[name]})" for name in new if name not in FREE and new[name] != old[name]]


def _clear(output_dir):
    # config.json last: a folder without it is no run directory, and would not be cleared again.
    for name in ("checkpoints", "tensorboard", METRICS, RESULT, RANKS, TRACKING, CONFIG):
        beside.remove(os.path.join(output_dir, name))
