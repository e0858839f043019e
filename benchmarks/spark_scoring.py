"""Scoring a table of synthetic histories in Spark's workers: users a second, and the workers' memory.

python -m benchmarks.spark_scoring --dataset_like=amazon-book --scale=0.3 --users=1000000 [--spark_conf=…]

Histories have 1 to 50 items. The model is not trained: its weights do not change the time.
"""

import os
import tempfile
import time

import numpy as np
import pandas as pd
import psutil
from absl import flags

from benchmarks.inference import TOP, export
from benchmarks.measure import report
from benchmarks.synthetic import define, like
from katrec import flags as settings_flags
from katrec.common import command_line
from katrec.models.build import build
from katrec.serving.spark import SCHEMA, recommend
from preprocess.spark import engine

FLAGS = flags.FlagValues()
flags.DEFINE_integer("users", 1_000_000, "How many histories.", 1, flag_values=FLAGS)
flags.DEFINE_list("spark_conf", ["spark.master=local[2]"], "Spark's settings.", flag_values=FLAGS)
define(FLAGS)
settings_flags.define(FLAGS)
BATCHES = (1_000, 10_000)
SHOWN = f"{SCHEMA}, worker int, resident_mib double"


def main():
    settings = settings_flags.read(FLAGS)
    dataset = like(FLAGS.dataset_like, FLAGS.scale)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        export(build(settings, dataset), dataset, path)
        os.environ["PYTHONPATH"] = os.getcwd()
        with engine.session(dict(one.split("=", 1) for one in FLAGS.spark_conf)) as spark:
            for batch in BATCHES:
                spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(batch))
                started = time.perf_counter()
                count, workers, largest = _score(spark, path, dataset.num_items)
                seconds = time.perf_counter() - started
                rate = f"{FLAGS.users / seconds:,.0f}"
                rows.append((f"{batch:,}", f"{count:,}", f"{seconds:.0f}", rate, workers, f"{largest:,.0f}"))
    report(
        f"Scoring on Spark, {settings.model} like {FLAGS.dataset_like}, scale {FLAGS.scale:g}: top {TOP} of "
        f"{dataset.num_items:,} items for {FLAGS.users:,} histories, {', '.join(FLAGS.spark_conf)}",
        rows,
        ("rows a batch", "rows written", "seconds", "users a second", "workers", "largest worker, MiB"),
    )


def _score(spark, path, num_items):
    """Returns how many rows are written, by how many workers, and the largest one's memory."""
    from pyspark.sql import functions

    def histories(frames):
        for frame in frames:
            generator = np.random.default_rng(frame["id"].iloc[0])
            lengths = generator.integers(1, 51, len(frame))
            made = [generator.integers(num_items, size=length).astype(str).tolist() for length in lengths]
            yield pd.DataFrame({"user_id": frame["id"].astype(str), "history": made})

    score = recommend(path, TOP)

    def measured(frames):
        for one in score(frames):
            resident = psutil.Process().memory_info().rss / 2**20
            yield one.assign(worker=os.getpid(), resident_mib=resident)

    table = spark.range(FLAGS.users).mapInPandas(histories, "user_id string, history array<string>")
    written = table.mapInPandas(measured, SHOWN).agg(
        functions.count("*"), functions.countDistinct("worker"), functions.max("resident_mib")
    )
    return written.collect()[0]


if __name__ == "__main__":
    command_line.run(main, FLAGS)
