"""Data-parallel training: the devices that share a batch, and which part of it is whose."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from katrec.common.command_line import FlagError, UserError, reason


def strategy(distribution: str) -> Any:
    """Returns the `tf.distribute.Strategy` of the setting `distribution`.

    With several workers it returns when all have started, and must be called before TensorFlow computes anything.
    """
    # Commands ask `is_chief` before TensorFlow, which takes seconds to import.
    import tensorflow as tf

    if distribution != "none":
        # TensorFlow says at each traced reduction how many tensors it has.
        logger = logging.getLogger("tensorflow")
        logger.setLevel(max(logger.level, logging.WARNING))
    if distribution == "mirrored":
        return tf.distribute.MirroredStrategy()
    if distribution == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def rows_of(device: Any, num_devices: int, count: Any) -> slice:
    """Returns which of a batch's `count` rows are a device's: all devices' slices together are the batch."""
    return slice(device * count // num_devices, (device + 1) * count // num_devices)


def is_chief(distribution: str) -> bool:
    """Returns whether this process writes the run's files: worker 0 of a cluster, or the only process.

    Raises:
      FlagError: TF_CONFIG is needed and does not name this process's place in a cluster.
    """
    if distribution != "multi_worker":
        return True
    try:
        cluster = json.loads(os.environ["TF_CONFIG"])
        workers, task = cluster["cluster"]["worker"], cluster["task"]
        if task["type"] == "worker" and 0 <= int(task["index"]) < len(workers):
            return int(task["index"]) == 0
    except (KeyError, TypeError, ValueError):
        pass
    raise FlagError(
        "--distribution=multi_worker: the environment variable TF_CONFIG must hold JSON such as "
        '{"cluster": {"worker": ["host0:4000", "host1:4000"]}, "task": {"type": "worker", "index": 0}}'
    )


def lost_worker(error: Exception, output_dir: str) -> UserError:
    """Returns the `UserError` of a worker that finds another one gone, from TensorFlow's error."""
    return UserError(
        f"another worker has stopped or cannot be reached ({reason(error)}); start all workers again with the "
        f"same commands: they go on from the last checkpoint in {output_dir}"
    )
