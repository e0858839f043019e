"""The filters of the knowledge graph as DataFrames."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession, functions

from katrec.common.id_tables import TRIPLETS
from preprocess.pipeline import Settings, say_graph
from preprocess.spark.stage import computed

NODE = "node"


def filtered(
    triplets: DataFrame,
    linked: np.ndarray,
    kept_linked: np.ndarray,
    settings: Settings,
    report: list[dict[str, Any]],
    folder: str,
) -> pd.DataFrame:
    """Returns the triplets near the items, of frequent entities and relations, each once: step 4 of docs/data.md.

    Args:
      triplets: columns head_id, relation_id, tail_id, all that were given.
      linked: raw ids of the entities that an item is linked to.
      kept_linked: of those that a kept item is linked to.
      settings: the filters.
      report: what they dropped is added.
      folder: where what is computed once goes.
    """
    spark = triplets.sparkSession
    distinct = computed(triplets.select(*TRIPLETS).distinct(), os.path.join(folder, "distinct"))
    # Hops start at every linked item, dropped by the k-core or not.
    starts = _nodes_of(spark, linked)
    reached = _ends(_touching(distinct, starts)).union(starts).distinct()
    near = computed(_touching(distinct, reached), os.path.join(folder, "near"))
    counts = _ends(near).groupBy(NODE).count()
    frequent = counts.where(functions.col("count") >= settings.min_entity_count).select(NODE)
    frequent = frequent.union(_nodes_of(spark, kept_linked)).distinct()
    dense = near
    for end in ("head_id", "tail_id"):
        dense = dense.join(frequent.withColumnRenamed(NODE, end), end, "left_semi")
    dense = computed(dense, os.path.join(folder, "dense"))
    relations = dense.groupBy("relation_id").count().where(functions.col("count") >= settings.min_relation_count)
    kept = (
        dense.join(relations.select("relation_id"), "relation_id", "left_semi").select(*TRIPLETS).toArrow().to_pandas()
    )
    say_graph(report, [triplets.count(), distinct.count(), near.count(), dense.count(), len(kept)], settings)
    return kept.astype(object)


def nodes(triplets: DataFrame) -> np.ndarray:
    """Returns the raw ids of the entities in any triplet, each once, object[n]."""
    return np.array(_ends(triplets).distinct().toArrow()[NODE].to_pylist(), dtype=object)


def _nodes_of(spark: SparkSession, ids: np.ndarray) -> DataFrame:
    return spark.createDataFrame(pd.DataFrame({NODE: pd.unique(ids)}), f"{NODE} string")


def _ends(triplets):
    """Returns the heads and tails, a row each."""
    heads, tails = (triplets.select(functions.col(end).alias(NODE)) for end in ("head_id", "tail_id"))
    return heads.union(tails)


def _touching(triplets, ids):
    """Returns the triplets with an end among the ids, which are distinct."""
    for end in ("head_id", "tail_id"):
        marked = ids.select(functions.col(NODE).alias(end), functions.lit(True).alias(f"{end}_in"))
        triplets = triplets.join(marked, end, "left")
    either = functions.coalesce("head_id_in", "tail_id_in").isNotNull()
    return triplets.where(either).select(*TRIPLETS)
