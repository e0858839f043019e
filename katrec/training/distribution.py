"""Data-parallel training: the devices that share a batch."""

import logging

import tensorflow as tf

from katrec_common.command_line import UserError


def strategy(name):
    """Returns the `tf.distribute.Strategy` of `--distribution`.

    With several workers it returns when all have started, and must be called before TensorFlow computes anything.
    """
    if name != "none":
        # TensorFlow says at each traced reduction how many tensors it has.
        logging.getLogger("tensorflow").setLevel(logging.WARNING)
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def lost_worker(error, output_dir):
    """Returns the `UserError` of a worker that finds another one gone, from TensorFlow's error."""
    reason = str(error).splitlines()[0][:200]
    return UserError(
        f"another worker has stopped or cannot be reached ({reason}); start all workers again with the "
        f"same commands: they go on from the last checkpoint in {output_dir}"
    )
