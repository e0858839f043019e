"""Preprocessing a synthetic log with pandas and on Spark: seconds and the peak memory of all processes.

python -m benchmarks.spark_preprocessing --rows=1000000,10000000,100000000 [--engines=spark] [--spark_conf=…]

The log is Parquet in parts of 5 million rows: a user has 50 of them, an item 500; both are uneven. Where both engines
run, their files are compared.
"""

import os
import tempfile

import numpy as np
from absl import flags

from benchmarks import tree_memory
from benchmarks.measure import report
from katrec import flags as settings_flags
from katrec.common import command_line, files
from katrec.common.command_line import UserError

FLAGS = flags.FlagValues()
flags.DEFINE_list("rows", ["1000000", "10000000"], "Sizes of the log.", flag_values=FLAGS)
flags.DEFINE_list("engines", ["pandas", "spark"], "What prepares it.", flag_values=FLAGS)
flags.DEFINE_list(
    "spark_conf", ["spark.master=local[2]", "spark.driver.memory=2g"], "As of preprocess.", flag_values=FLAGS
)
flags.DEFINE_string("folder", None, "Where the logs go; default: a temporary folder.", flag_values=FLAGS)
PART_ROWS = 5_000_000
ROWS_OF_USER, ROWS_OF_ITEM = 50, 500


def main():
    rows = []
    for count in settings_flags.integers("rows", FLAGS.rows, low=1000):
        with tempfile.TemporaryDirectory(dir=FLAGS.folder) as folder:
            size = _write(count, os.path.join(folder, "log"))
            for engine in FLAGS.engines:
                conf = [f"--spark_conf={','.join(FLAGS.spark_conf)}"] if engine == "spark" else []
                seconds, peak, largest = tree_memory.module(
                    "preprocess",
                    "--dataset=log",
                    "--source=tables",
                    f"--interactions={folder}/log",
                    f"--datasets_dir={folder}/{engine}",
                    f"--engine={engine}",
                    *conf,
                )
                parts = ", ".join(f"{name} {one:,.0f}" for name, one in sorted(largest.items()))
                rows.append((f"{count:,}", engine, f"{size:,.0f}", f"{seconds:.0f}", f"{peak:,.0f} ({parts})"))
            if len(FLAGS.engines) > 1:
                _compare(folder)
    report(
        "Preprocessing on Spark and with pandas",
        rows,
        ("interactions", "engine", "raw MiB", "seconds", "peak MiB of all processes (the largest of a program)"),
    )


def _write(count, folder):
    """Writes a log; returns its MiB."""
    import pyarrow
    import pyarrow.parquet

    os.makedirs(folder)
    generator = np.random.default_rng(1)
    users, items = count // ROWS_OF_USER, count // ROWS_OF_ITEM
    user_ids = pyarrow.array([f"user-{number:08d}" for number in range(users)])
    item_ids = pyarrow.array([f"item-{number:07d}" for number in range(items)])
    size = 0
    for part, start in enumerate(range(0, count, PART_ROWS)):
        rows = min(PART_ROWS, count - start)
        columns = {
            "user_id": user_ids.take(pyarrow.array((users * generator.random(rows) ** 1.3).astype(np.int32))),
            "item_id": item_ids.take(pyarrow.array((items * generator.random(rows) ** 2).astype(np.int32))),
            "timestamp": generator.integers(1_500_000_000, 1_700_000_000, rows),
        }
        path = os.path.join(folder, f"part-{part:04d}.parquet")
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
        size += os.path.getsize(path)
    return size / 2**20


def _compare(folder):
    """Checks that all engines wrote the same files."""
    first, *others = (os.path.join(folder, engine, "log") for engine in FLAGS.engines)
    for other in others:
        for name in os.listdir(first):
            if files.sha256(os.path.join(first, name)) != files.sha256(os.path.join(other, name)):
                raise UserError(f"{other}/{name}: is not the file of {FLAGS.engines[0]}")


if __name__ == "__main__":
    command_line.run(main, FLAGS)
