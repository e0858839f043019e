"""Pre-trained embeddings kept in a folder, for all runs that would compute the same ones."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from katrec.common import files
from katrec.common.command_line import UserError


def path_of(folder: str, variables: Sequence[tf.Variable], settings: dict[str, Any], checksums: dict[str, str]) -> str:
    """Returns the file of what pre-training makes of these initial values, settings and data on this machine.

    Args:
      folder: where embeddings are kept.
      variables: what is trained, before it is.
      settings: all settings that the pre-training reads, as a dict.
      checksums: of the prepared data set's files.
    """
    # The number of threads decides in which order sums are made, and so their last digits.
    circumstances = [settings, checksums, tf.__version__, os.cpu_count(), os.environ.get("TF_NUM_INTRAOP_THREADS")]
    digest = hashlib.sha256(json.dumps(circumstances, sort_keys=True).encode())
    for variable in variables:
        digest.update(variable.numpy().tobytes())
    return os.path.join(folder, f"{digest.hexdigest()[:20]}.npz")


def restore(path: str, variables: Sequence[tf.Variable]) -> Optional[float]:
    """Gives `variables` the values that `path` holds.

    Returns:
      The seconds that it took to compute them; None where there is no such file.

    Raises:
      UserError: the file is damaged.
    """
    if not os.path.exists(path):
        return None
    expected = {"seconds": (), **{str(place): tuple(one.shape) for place, one in enumerate(variables)}}
    kept = files.read_arrays(path, expected)
    if {name: array.shape for name, array in kept.items()} != expected:
        raise UserError(f"{path}: holds no pre-trained embeddings of this model; delete the file")
    for place, variable in enumerate(variables):
        variable.assign(kept[str(place)])
    return float(kept["seconds"])


def keep(path: str, variables: Sequence[tf.Variable], seconds: float) -> None:
    """Writes the values of `variables`, which took so many seconds, to `path`."""
    with files.replacing(path, "wb") as file:
        np.savez(file, seconds=seconds, **{str(place): variable.numpy() for place, variable in enumerate(variables)})
