"""Scoring on a Spark cluster (extra: spark): an exported model in each of Spark's Python workers.

histories = spark.read.parquet("histories")                  # user_id, history: an array of item ids, oldest first
histories.mapInPandas(recommend("models/beauty", k=10), SCHEMA).write.parquet("recommended")
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from katrec.common.command_line import UserError
from katrec.common.threads import threads as environment

SCHEMA = "user_id string, rank int, item_id string, score float"
TYPES = {"rank": "int32", "score": "float32"}


def recommend(
    saved_model: str, k: int = 10, allow_seen: bool = False, threads: int = 1
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Returns the function for `DataFrame.mapInPandas` with `SCHEMA`: what each history is recommended.

    Each worker loads the model once, with the first rows that it gets, and keeps it as long as Spark keeps the worker.
    It holds one Arrow batch at a time (spark.sql.execution.arrow.maxRecordsPerBatch), and scores 512 histories at once.
    A task that is tried again gives the same rows.

    Args:
      saved_model: folder of the export, or of its versions, at the same path on every machine.
      k: how many items.
      allow_seen: whether items of the history may be recommended too.
      threads: TensorFlow's in each worker, of which there is one for each of Spark's cores.

    Returns:
      A function of an iterator of DataFrames with the columns user_id and history, lists of item ids, oldest first. It
      yields DataFrames with user_id, rank, item_id and score; none for a history that leaves no item. In a worker
      it raises `UserError` where a column is missing, `ValueError` where k is more than the export allows.
    """
    return functools.partial(_recommended, saved_model, k, allow_seen, threads)


def _recommended(saved_model, k, allow_seen, threads, frames):
    for frame in frames:
        missing = {"user_id", "history"} - set(frame.columns)
        if missing:
            raise UserError(f"no column {sorted(missing)[0]}; there are {list(frame.columns)}")
        model = _loaded(saved_model, threads)
        users = frame["user_id"].astype(str).tolist()
        histories = [[] if history is None else list(history) for history in frame["history"]]
        answers = model.recommend(histories, k, users if model.takes_users else None, allow_seen=allow_seen)
        rows = [
            (user, rank, item, score)
            for user, items in zip(users, answers)
            for rank, (item, score) in enumerate(items, start=1)
        ]
        yield pd.DataFrame(rows, columns=["user_id", "rank", "item_id", "score"]).astype(TYPES)


@functools.lru_cache(maxsize=1)
def _loaded(saved_model: str, threads: int) -> Any:
    """Returns the model of this worker."""
    # Before TensorFlow is imported.
    os.environ.update(environment(threads))
    from katrec.serving.recommender import Recommender

    return Recommender.load(saved_model)
