"""python -m preprocess --engine=spark: the same data set as without it, from logs of any size."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Optional

import pandas as pd
from pyspark.sql import SparkSession

from katrec.common.id_tables import TRIPLETS, named_items
from preprocess.frames import linked_items
from preprocess.pipeline import Kept, Prepared, Settings, assemble, catalogue, say_core
from preprocess.sources import Options
from preprocess.sources.delimited import located, places, read_part
from preprocess.spark import core, graph, stage

PART_BYTES = 32 << 20


@contextlib.contextmanager
def session(conf: Mapping[str, str]) -> Iterator[SparkSession]:
    """Starts Spark, or takes the session that spark-submit made, and stops it.

    Args:
      conf: Spark's settings, such as {"spark.master": "local[8]", "spark.driver.memory": "8g"}.
    """
    builder = SparkSession.builder.appName("katrec preprocess")
    # Times without a zone are UTC, as without Spark.
    for name, value in {"spark.ui.showConsoleProgress": "true", **conf, "spark.sql.session.timeZone": "UTC"}.items():
        builder = builder.config(name, value)
    # It says so at each of its uses of pandas; what is used of it here is tested.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    if conf.get("spark.master", "local").startswith("local"):
        # Else a worker would be the python3 of the PATH, which need not have pandas.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()


def prepare(
    spark: SparkSession, raw_dir: Optional[str], options: Options, settings: Settings, folder: str
) -> tuple[Prepared, int, tuple[str, ...]]:
    """Prepares a data set of --source=tables.

    Args:
      spark: the session.
      raw_dir: folder that the files' paths are relative to, or None.
      options: the command line's.
      settings: the filters.
      folder: where Spark keeps what it computes once; all its machines see it. A folder in it is made and removed.

    Returns:
      The data set, how many interactions were read, and the files.

    Raises:
      UserError: as `preprocess.frames.frame_tables` and `preprocess.pipeline.prepare`.
    """
    paths = located(raw_dir, options)
    _set_partitions(spark, sum(os.path.getsize(path) for one in paths.values() for path in one))
    os.makedirs(folder, exist_ok=True)
    own = tempfile.mkdtemp(prefix="spark-", dir=folder)
    try:
        prepared, count = _prepared(spark, paths, options, settings, own)
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return prepared, count, tuple(path for one in paths.values() for path in one)


def _set_partitions(spark, size):
    """Sets how many parts a shuffle has by the files' size, unless Spark was told."""
    name = "spark.sql.shuffle.partitions"
    if spark.sparkContext.getConf().get(name) is None:
        spark.conf.set(name, str(max(spark.sparkContext.defaultParallelism, size // PART_BYTES)))


def _prepared(spark, paths, options, settings, folder):
    report: list[dict[str, Any]] = []
    # Links and titles are as many as the items: the driver reads them.
    small = {
        table: [read_part(path, table, options) for path in paths[table]]
        for table in ("links", "titles")
        if table in paths
    }
    place = places(paths, {table: [len(frame) for frame in one] for table, one in small.items()})
    links, titles = (pd.concat(small[table]) if table in small else None for table in ("links", "titles"))
    with stage.said_in_one_line():
        interactions = stage.interactions(spark, paths["interactions"], options, os.path.join(folder, "interactions"))
        triplets = None
        if "triplets" in paths:
            staged = os.path.join(folder, "triplets")
            triplets = stage.ids(spark, paths["triplets"], "triplets", options, staged, breaks=True)
        log = core.Log(interactions.frame, folder)
        rows, count = log.core(settings.min_interactions)
        say_core(report, interactions.num_rows, count, settings)
        split = log.split(rows)
        # Without links every item of the log is the entity of its own id.
        items = log.item_ids() if links is None and triplets is not None else split.item_ids
        links = linked_items(items, links, place)
        item_ids = catalogue(split.item_ids, links, settings)
        kept_links = links[links["item_id"].isin(pd.Index(item_ids))]
        linked = (links["item_id"].unique(), links["entity_id"].unique())
        nothing = spark.createDataFrame([], ", ".join(f"{name} string" for name in TRIPLETS))
        given = nothing if triplets is None else triplets.frame
        left = Kept(
            split.offsets,
            split.items,
            split.valid,
            split.test,
            item_ids,
            split.user_ids,
            graph.filtered(given, linked[1], kept_links["entity_id"].unique(), settings, report, folder),
            kept_links,
            triplets.num_rows if triplets else 0,
            linked,
            lambda: graph.nodes(given),
        )
        return assemble(
            left, None if titles is None else named_items(titles, place), report, settings
        ), interactions.num_rows
