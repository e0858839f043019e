"""A SavedModel on disk: written whole, and compared with the model that it was made of."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf
from absl import logging as absl_logging

from katrec.common import beside, files
from katrec.common.command_line import UserError, reason
from katrec.data.dataset import Dataset
from katrec.data.sequences import recent_items
from katrec.layers.tracing import traced
from katrec.models.base import RankingModel
from katrec.serving import EXTRA, integrity
from katrec.serving.served import Served

# Of the comparison.
USERS, BATCH_USERS = 1000, 100


def write(
    served: Served,
    path: str,
    metadata: Mapping[str, Any],
    items_file: files.Path,
    write_more: Optional[Callable[[str], None]] = None,
) -> int:
    """Writes a SavedModel that is whole or absent.

    Args:
      served: what to write.
      path: the folder to make.
      metadata: goes to assets.extra/metadata.json.
      items_file: items.tsv of the prepared data set, copied beside it for the titles.
      write_more: called with the folder of both, to put more there.

    Returns:
      Its size in bytes.

    Raises:
      UserError: it cannot be written, for example to a full disk.
    """
    unfinished = beside.new(path)
    try:
        with _quiet():
            # Without the layers' gradients: nothing is trained from it.
            options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
            tf.saved_model.save(served, unfinished, served.signatures(), options)
        files.write_json(os.path.join(unfinished, EXTRA, "metadata.json"), metadata)
        shutil.copy(items_file, os.path.join(unfinished, EXTRA, "items.tsv"))
        if write_more:
            write_more(os.path.join(unfinished, EXTRA))
        integrity.record(unfinished)
        os.rename(unfinished, path)
        beside.to_disk(os.path.dirname(unfinished))
    except (tf.errors.OpError, OSError) as error:
        raise UserError(f"{path}: cannot be written ({reason(error)}); nothing is left of it") from None
    finally:
        beside.remove(unfinished)
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)


@contextlib.contextmanager
def _quiet():
    """Keeps TensorFlow from telling a user about functions of this project that it does not keep."""
    logger, verbosity = tf.get_logger(), absl_logging.get_verbosity()
    level = logger.level
    logger.setLevel(logging.ERROR)
    absl_logging.set_verbosity(absl_logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        absl_logging.set_verbosity(verbosity)


def largest_difference(
    signatures: Mapping[str, Any],
    model: RankingModel,
    dataset: Dataset,
    item_ids: Sequence[str],
    user_ids: Sequence[str],
) -> tuple[float, int]:
    """Compares every item's score for the test users' histories, by the SavedModel and by the model itself.

    Args:
      signatures: the loaded SavedModel's.
      model: what it was made of.
      dataset: what that was trained on.
      item_ids: raw ids in the order of their numbers.
      user_ids: the same of the users.

    Raises:
      UserError: the SavedModel has other items, or in another order.

    Returns:
      The largest difference of two scores, and of how many users: of all, of more than 1,000 that many evenly spread.
    """
    served = [item.decode("utf-8") for item in signatures["item_table"]()["items"].numpy()]
    if served != list(item_ids):
        raise UserError("the SavedModel's items are not the data set's; prepare the data set again, and train again")
    items, names = (np.asarray(ids, dtype=object) for ids in (item_ids, user_ids))
    table = signatures["item_table"]()["vectors"]
    products = model.inference_tables().edges is None
    score = traced(model.call)
    offsets, numbers = dataset.histories("test")
    # An empty history has the popularity ranking, not the model's.
    users = np.flatnonzero((dataset.test >= 0) & (np.diff(offsets) > 0))
    users = users[np.unique(np.linspace(0, len(users) - 1, USERS).astype(int))]
    largest = 0.0
    for some in np.array_split(users, -(-len(users) // BATCH_USERS)):
        histories = [items[numbers[offsets[user] : offsets[user + 1]]].tolist() for user in some]
        inputs = {"history": tf.ragged.constant(histories, tf.string).to_tensor("")}
        if "user" in signatures["encode"].structured_input_signature[1]:
            inputs["user"] = tf.constant(names[some].tolist())
        if products:
            given = tf.matmul(signatures["encode"](**inputs)["vectors"], table, transpose_b=True)
        else:
            candidates = tf.tile(tf.constant(items)[None], [len(some), 1])
            given = signatures["recommend_from"](**inputs, candidates=candidates)["scores"]
        read = recent_items(offsets, numbers, some, model.history_length, model.tokens.padding)
        expected = score((tf.constant(read), tf.constant(some, tf.int32)))
        largest = max(largest, float(tf.reduce_max(tf.abs(given - expected))))
    return largest, len(users)
