"""Raw files as Parquet with ids as text, times as numbers and rows by number: what all later passes read."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession, functions

from katrec.common.command_line import UserError, reason
from katrec.common.id_tables import text_column
from katrec.common.ids import BREAKS
from katrec.common.tabular import SEPARATORS, ending_of, read
from katrec.common.times import EXACT, as_dates, missing_ones
from preprocess.sources import Options
from preprocess.sources.delimited import named_columns, placed

# Text that Spark takes for a missing value; no file has it.
NEVER = "\x00"
FAULT = "fault"
BROKEN = "holds a tab or a line end; replace it"
PLAIN_TYPES = ("string", "long", "integer", "short", "byte")
FIRST_ROWS = 1000
LARGEST = 2**63


class Staged(NamedTuple):
    """A table that Spark has read once.

    Attributes:
      frame: the DataFrame; its column `row` numbers the rows from 0 in the files' order.
      num_rows: how many there are.
    """

    frame: DataFrame
    num_rows: int


def computed(frame: DataFrame, folder: str) -> DataFrame:
    """Returns a DataFrame that is computed now and once, and written to a folder.

    Not `persist`: a plan that has grown over rounds would be part of those that follow, and double in each.
    """
    frame.write.parquet(folder)
    return frame.sparkSession.read.parquet(folder)


@contextlib.contextmanager
def said_in_one_line(paths: Sequence[str] = ()) -> Iterator[None]:
    """Turns what Spark says into a `UserError`: of these files, that it cannot read, or of what it computes."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        causes = re.findall(r"(?:Exception|Error): (.+)", str(error))
        text = causes[-1][:300] if causes else reason(error)
        if paths:
            raise UserError(f"{paths[0]}: Spark cannot read it ({text}); the other engine may say more") from None
        raise UserError(f"Spark ended ({text}); more memory may help, --spark_conf=spark.driver.memory=…") from None


def ids(spark: SparkSession, paths: Sequence[str], table: str, options: Options, folder: str, breaks: bool) -> Staged:
    """Stages a table of ids alone, such as the triplets.

    Args:
      spark: the session.
      paths: the table's files, in their order.
      table: its name in `preprocess.sources.delimited.COLUMNS`.
      options: the command line's.
      folder: where the staged table goes.
      breaks: whether tabs and line ends are allowed, as in `katrec.common.id_tables.texts`.

    Raises:
      UserError: a file cannot be read, or a value is no id.
    """
    raw, columns = _read(spark, paths, table, options)
    if _has_text(raw, columns):
        cleaned = _with_ids(raw, columns, breaks)
    else:
        cleaned = raw.mapInPandas(functools.partial(_clean_ids, columns, breaks), _schema(columns, []))
    return _staged(spark, cleaned, columns, paths, folder)


def interactions(spark: SparkSession, paths: Sequence[str], options: Options, folder: str) -> Staged:
    """Stages the interactions: user_id, item_id, and `time`, whose order is that of the timestamps.

    Args and raises as `ids`; and `UserError` where a time is missing or not understood, or needs more digits than
    float64 has.
    """
    raw, columns = _read(spark, paths, "interactions", options)
    with said_in_one_line(paths):
        first = raw.select(_whole("timestamp").isNotNull().alias("whole")).limit(FIRST_ROWS).collect()
    if all(one.whole for one in first) and _has_text(raw, columns[:2]):
        quick = _with_ids(raw, columns[:2]).withColumn("time", _whole("timestamp")).drop("timestamp")
        staged = _staged(spark, quick, columns[:2], paths, folder)
        with said_in_one_line(paths):
            others = staged.frame.where(functions.col("time").isNull()).limit(1).count()
        if not others:
            return staged
        shutil.rmtree(folder)
    of_times = ["as_whole long", "as_number double", "as_date long"]
    cleaned = raw.mapInPandas(_clean_interactions, _schema(columns[:2], of_times))
    staged = _staged(spark, cleaned, columns[:2], paths, folder)
    return Staged(_one_kind_of_time(staged, paths), staged.num_rows)


def _read(spark, paths, table, options):
    """Returns the raw columns under the project's names, with each row's file, block and number in its partition."""
    first = read_header(paths[0])
    names = named_columns(paths[0], table, options, first)
    with said_in_one_line(paths):
        if ending_of(paths[0]) == ".parquet":
            frame = spark.read.parquet(*paths)
        else:
            # A value in quotes may have a line end: such a file is not read in parts, and its rows would be cut.
            frame = spark.read.csv(
                list(paths),
                schema=", ".join(f"`{name}` string" for name in first),
                sep=SEPARATORS[ending_of(paths[0])],
                header=True,
                enforceSchema=False,
                quote='"',
                escape='"',
                mode="FAILFAST",
                nullValue=NEVER,
                emptyValue="",
            )
        place = [
            functions.col("_metadata.file_path").alias("file"),
            functions.col("_metadata.file_block_start").alias("block"),
            functions.monotonically_increasing_id().alias("number"),
        ]
        chosen = [functions.col(f"`{name}`").alias(column) for column, name in names.items()]
        return frame.select(*chosen, *place), list(names)


def read_header(path: str) -> list[str]:
    """Returns the names of a file's columns.

    Raises:
      UserError: it cannot be read.
    """
    if ending_of(path) == ".parquet":
        import pyarrow
        import pyarrow.parquet

        try:
            return list(pyarrow.parquet.read_schema(path).names)
        except (OSError, pyarrow.ArrowException) as error:
            raise UserError(f"{path}: cannot be read ({reason(error)})") from None
    return list(read(path, rows=0).columns)


def _has_text(raw, columns):
    """Returns whether all columns are text or whole numbers, whose text Spark makes as Python does."""
    return all(raw.schema[column].dataType.typeName() in PLAIN_TYPES for column in columns)


def _with_ids(raw, columns, breaks=False):
    """Returns such columns as text, the others, and what is wrong with each row, in which column; without Python."""
    fault, kind = functions.lit(None).cast("string"), functions.lit(0)
    for number, column in reversed(list(enumerate(columns))):
        text = functions.col(column).cast("string")
        empty = functions.coalesce(text, functions.lit("")) == ""
        broken = functions.lit(False) if breaks else text.rlike(f"[{BREAKS}]")
        said = functions.when(empty, f"{column} is empty").when(
            broken, functions.concat(functions.lit(f"{column} '"), text, functions.lit(f"' {BROKEN}"))
        )
        kind = functions.when(empty | broken, number).otherwise(kind)
        fault = functions.coalesce(said, fault)
    kept = [column for column in raw.columns if column not in columns]
    texts = [functions.col(column).cast("string").alias(column) for column in columns]
    return raw.select(*texts, *kept, fault.alias(FAULT), kind.cast("int").alias("kind"))


def _whole(column):
    """Returns a column of whole numbers, also as text, as such; null for others."""
    text = functions.trim(functions.col(column).cast("string"))
    return functions.when(text.rlike(r"^[+-]?[0-9]{1,18}$"), text.cast("long"))


def _schema(columns, more):
    names = [*(f"{column} string" for column in columns), *more, "file string", "block long", "number long"]
    return ", ".join([*names, f"{FAULT} string", "kind int"])


def _staged(spark, cleaned, columns, paths, folder):
    """Writes the cleaned rows, numbers them, and says the first fault."""
    with said_in_one_line(paths):
        cleaned.write.parquet(folder)
        frame = spark.read.parquet(folder)
        # Rows of a block are read in their order by one task, which numbers them.
        blocks = frame.groupBy("file", "block").agg(functions.min("number"), functions.count("*")).collect()
    order = {os.path.basename(path): place for place, path in enumerate(paths)}
    blocks = sorted(blocks, key=lambda one: (order[_name(one.file)], one.block))
    counts = [one[3] for one in blocks]
    starts = np.concatenate([[0], np.cumsum(counts)])
    rows = [(one.file, one.block, int(start) - one[2]) for one, start in zip(blocks, starts)]
    shifts = spark.createDataFrame(rows, "file string, block long, shift long") if rows else None
    numbered = frame.withColumn("row", functions.lit(0))
    if shifts is not None:
        joined = frame.join(functions.broadcast(shifts), ["file", "block"])
        numbered = joined.withColumn("row", functions.col("number") + functions.col("shift"))
    lengths = [sum(one[3] for one in blocks if order[_name(one.file)] == place) for place in range(len(paths))]
    bad = numbered.where(functions.col(FAULT).isNotNull()).orderBy("kind", "row").limit(1).collect()
    if bad:
        raise UserError(f"{placed(paths, lengths, bad[0].row)}: {bad[0][FAULT]}")
    return Staged(numbered.drop("file", "block", "number", FAULT, "kind"), int(starts[-1]))


def _name(uri):
    return os.path.basename(urllib.parse.unquote(urllib.parse.urlparse(uri).path))


def _clean_ids(columns, breaks, frames):
    for frame in frames:
        yield _cleaned(frame, columns, breaks)


def _clean_interactions(frames):
    columns = ["user_id", "item_id"]
    for frame in frames:
        cleaned = _cleaned(frame, columns, breaks=False)
        times = frame["timestamp"].reset_index(drop=True)
        missing, numbers, dates = _kinds(times)
        late = missing & cleaned[FAULT].isna()
        cleaned.loc[late, FAULT] = "the time is missing; give it one, or leave the row out"
        cleaned.loc[late, "kind"] = len(columns)
        # An unsigned number may be too large for Spark's.
        whole = numbers.dtype.kind in "iu" and numbers.max() < LARGEST
        cleaned.insert(2, "as_whole", numbers.astype("Int64") if whole else pd.Series(pd.NA, times.index, "Int64"))
        cleaned.insert(3, "as_number", numbers.astype("Float64"))
        cleaned.insert(4, "as_date", dates)
        yield cleaned


def _cleaned(frame, columns, breaks):
    """Returns the ids as text, where the rows are, and what is wrong with each, and in which column that is."""
    cleaned = {}
    faults, kinds = np.full(len(frame), None, object), np.zeros(len(frame), np.int32)
    for kind, column in reversed(list(enumerate(columns))):
        cleaned[column], found = text_column(frame[column], breaks)
        bad = np.array([one is not None for one in found], bool)
        faults[bad] = [f"{column} {one}" for one in found[bad]]
        kinds[bad] = kind
    place = {name: frame[name].to_numpy() for name in ("file", "block", "number")}
    ordered = {column: cleaned[column] for column in columns}
    return pd.DataFrame({**ordered, **place, FAULT: pd.Series(faults, dtype=object), "kind": kinds})


def _kinds(times):
    """Returns which times are missing, and times as numbers and as dates, missing where they are none."""
    missing = missing_ones(times)
    none = pd.Series(pd.NA, times.index, "Int64")
    if times.dtype.kind in "M":
        return missing, pd.Series(np.nan, times.index), _nanoseconds(times.dt.tz_localize("UTC"))
    numbers = pd.to_numeric(times, errors="coerce")
    if pd.api.types.is_bool_dtype(numbers):
        return missing, pd.Series(np.nan, times.index), none
    # Most files have numbers alone: the slow way for the rest.
    return missing, numbers, _nanoseconds(as_dates(times)) if numbers.isna().any() else none


def _nanoseconds(dates):
    """Returns dates as numbers of one unit, whatever the batch's."""
    return dates.dt.as_unit("ns").astype("int64").astype("Int64").mask(dates.isna())


def _one_kind_of_time(staged, paths):
    """Returns the staged interactions with one column `time`."""
    frame, count = staged
    number = functions.col("as_number")
    with said_in_one_line(paths):
        of = frame.agg(
            functions.count("as_whole").alias("whole"),
            functions.count("as_number").alias("number"),
            functions.count("as_date").alias("date"),
            functions.max(functions.abs(number)).alias("largest"),
        ).collect()[0]
    if of.whole == count:
        chosen = "as_whole"
    elif of.number == count and of.largest < EXACT:
        chosen = "as_number"
    elif of.number < count and of.date == count:
        chosen = "as_date"
    else:
        wrong = "the times are neither all finite numbers below 2^53 or whole, nor all dates or ISO 8601 text"
        raise UserError(f"{paths[0]}: {wrong}; the other engine says which row")
    return frame.select("user_id", "item_id", functions.col(chosen).alias("time"), "row")
