"""The k-core and the split of the interactions, as DataFrames; what is left comes to the driver as numbers."""

from __future__ import annotations

import itertools
import os
import shutil
from typing import NamedTuple

import numpy as np
import pyarrow.parquet
from pyspark.sql import DataFrame, Window, functions

from preprocess.pipeline import MIN_HELD_OUT_LENGTH
from preprocess.spark.stage import computed


class Split(NamedTuple):
    """The interactions that are left, as in `preprocess.pipeline.Prepared`, and their number."""

    offsets: np.ndarray
    items: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray


class Log:
    """The interactions, users and items by number: the row in which each stands first.

    Args:
      interactions: columns user_id, item_id, time, row.
      folder: where what is computed once goes.
    """

    def __init__(self, interactions: DataFrame, folder: str) -> None:
        self._folder = folder
        self._names = {}
        for column in ("user", "item"):
            path = os.path.join(folder, f"{column}s")
            first = interactions.groupBy(f"{column}_id").agg(functions.min("row").alias(column))
            self._names[column] = computed(first, path)
        numbered = interactions.join(self._names["user"], "user_id").join(self._names["item"], "item_id")
        self.rows = computed(numbered.select("user", "item", "time", "row"), os.path.join(folder, "log"))

    def item_ids(self) -> np.ndarray:
        """Returns the raw ids of all items, in order of first appearance, object[n]."""
        return _collected(self._names["item"].orderBy("item").select("item_id"))["item_id"]

    def core(self, k: int) -> tuple[DataFrame, int]:
        """Returns the k-core's rows, and how many there are.

        Each round counts users, drops rows, counts items, drops rows: two small shuffles of counts by user and by item,
        and two joins with the ids that are left, which Spark broadcasts where they are few.

        Args:
          k: each kept user and item has at least so many rows.
        """
        kept, count = self.rows, self.rows.count()
        earlier = ""
        for number in itertools.count() if k > 1 else ():
            before = count
            for column in ("user", "item"):
                frequent = kept.groupBy(column).count().where(functions.col("count") >= k).select(column)
                kept = kept.join(frequent, column, "left_semi")
            path = os.path.join(self._folder, f"round-{number}")
            kept = computed(kept, path)
            count = kept.count()
            if earlier:
                shutil.rmtree(earlier)
            earlier = path
            if count in (before, 0):
                break
        return kept, count

    def split(self, kept: DataFrame) -> Split:
        """Returns the leave-one-out split of the rows that are left, users and items in order of first appearance.

        A window over each user's rows numbers them in time order (a shuffle by user); a sort brings the users in order
        (a shuffle of ranges).

        Args:
          kept: what `core` returned.
        """
        by_user = Window.partitionBy("user")
        numbered = kept.withColumn("place", functions.row_number().over(by_user.orderBy("time", "row"))).withColumn(
            "length", functions.count("*").over(by_user)
        )
        ids = {}
        for column in ("user", "item"):
            first = kept.groupBy(column).agg(functions.min("row").alias(f"{column}_first"))
            numbered = numbered.join(first, column)
            named = first.join(self._names[column], column).orderBy(f"{column}_first")
            ids[column] = _collected(named.select(f"{column}_first", f"{column}_id"))
        path = os.path.join(self._folder, "split")
        numbered.orderBy("user_first", "place").select("user_first", "item_first", "place", "length").write.parquet(
            path
        )
        return _assembled(path, ids)


def _assembled(path, ids):
    """Reads the sorted rows part by part."""
    users, items = (ids[column][f"{column}_first"] for column in ("user", "item"))
    lengths = np.zeros(len(users), np.int64)
    valid, test = (np.full(len(users), -1, np.int32) for _ in range(2))
    training = []
    for name in sorted(name for name in os.listdir(path) if name.endswith(".parquet")):
        part = pyarrow.parquet.read_table(os.path.join(path, name))
        user = np.searchsorted(users, part["user_first"].to_numpy())
        item = np.searchsorted(items, part["item_first"].to_numpy()).astype(np.int32)
        place, length = part["place"].to_numpy(), part["length"].to_numpy()
        lengths[user] = length
        held_out = length >= MIN_HELD_OUT_LENGTH
        last, before_last = held_out & (place == length), held_out & (place == length - 1)
        test[user[last]], valid[user[before_last]] = item[last], item[before_last]
        training.append(item[~last & ~before_last])
    kept = lengths - 2 * (lengths >= MIN_HELD_OUT_LENGTH)
    offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    together = np.concatenate(training) if training else np.zeros(0, np.int32)
    return Split(offsets, together, valid, test, ids["user"]["user_id"], ids["item"]["item_id"])


def _collected(frame):
    """Returns a DataFrame's columns as arrays, text as Python's."""
    table = frame.toArrow()
    return {
        name: np.array(table[name].to_pylist(), dtype=object) if name.endswith("_id") else table[name].to_numpy()
        for name in table.column_names
    }
