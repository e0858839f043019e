"""What a run directory holds beside its checkpoints: config.json, result.json, ranks.npz, metrics.jsonl (`log.py`)."""

import os
import shutil
import types

import numpy as np

from katrec_common import files
from katrec_common.command_line import UserError

CONFIG, METRICS, RESULT, RANKS = "config.json", "metrics.jsonl", "result.json", "ranks.npz"
# What may differ between the run that wrote a directory and the one that goes on in it; "data" is checked apart.
FREE = ("output_dir", "datasets_dir", "pretrained_dir", "resume", "distribution", "data")


def claim(config, checksums):
    """Makes `config.output_dir` this run's: writes config.json, or checks that it holds the same settings.

    Args:
      config: the run's settings; without `resume` whatever the directory holds of an earlier run is removed.
      checksums: of the prepared data set's files.

    Raises:
      UserError: the directory belongs to a run with other settings or other data.
    """
    path = os.path.join(config.output_dir, CONFIG)
    # Only what is a run directory is cleared: another folder's "checkpoints" are not ours.
    if os.path.exists(path) and not config.resume:
        _clear(config.output_dir)
    if os.path.exists(path):
        stored = read_config(config.output_dir)
        changed = _differences(vars(config), vars(stored))
        if changed:
            raise UserError(
                f"{config.output_dir}: made with other settings: {'; '.join(changed)}; "
                "choose another --output_dir, or --noresume to begin anew there"
            )
        check_data(stored, checksums)
    files.write_json(path, {**vars(config), "data": checksums})


def read_config(output_dir):
    """Returns the settings of the run in `output_dir`.

    Raises:
      UserError: there is none.
    """
    path = os.path.join(output_dir, CONFIG)
    if not os.path.exists(path):
        raise UserError(f"{output_dir}: no config.json, this is not a run directory of katrec.train")
    return types.SimpleNamespace(**files.read_json(path))


def read_result(output_dir):
    """Returns result.json of a finished run, or None."""
    path = os.path.join(output_dir, RESULT)
    return files.read_json(path) if os.path.exists(path) else None


def write_result(output_dir, result, users, ranks):
    """Writes result.json, and before it ranks.npz: the test users and their targets' ranks by protocol, int[n] each."""
    with files.replacing(os.path.join(output_dir, RANKS), "wb") as file:
        np.savez(file, users=users, **ranks)
    files.write_json(os.path.join(output_dir, RESULT), result)


def check_data(config, checksums):
    """Checks that a run was trained on the prepared files at hand.

    Raises:
      UserError: it was not.
    """
    changed = sorted(name for name in config.data if config.data[name] != checksums.get(name))
    if changed:
        raise UserError(
            f"data set {config.dataset}: {', '.join(changed)} changed since the run was trained; "
            "prepare it again with the same settings, or train again in another --output_dir"
        )


def _differences(config, stored):
    """Returns a line for each setting that two configurations, as dicts, do not share, free ones left out."""
    return [
        f"--{name}={config.get(name)} (was {stored.get(name)})"
        for name in sorted(set(config) | set(stored))
        if name not in FREE and config.get(name) != stored.get(name)
    ]


def _clear(output_dir):
    for name in ("checkpoints", "tensorboard"):
        shutil.rmtree(os.path.join(output_dir, name), ignore_errors=True)
    for name in (METRICS, RESULT, RANKS, CONFIG):
        if os.path.exists(os.path.join(output_dir, name)):
            os.unlink(os.path.join(output_dir, name))
