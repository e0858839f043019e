"""From atomic files to the prepared data set, beside reading the files alone.

python -m benchmarks.preprocessing --dataset_like=amazon-book --scale=1
"""

import os
import tempfile

import numpy as np
import pandas as pd
from absl import flags

from benchmarks.measure import report, seconds
from benchmarks.synthetic import define, like
from katrec.common import command_line
from preprocess.pipeline import Settings, prepare
from preprocess.tables import read_atomic
from preprocess.writer import write

FLAGS = flags.FlagValues()
define(FLAGS)
NAME, REPEATS = "like", 3


def main():
    dataset = like(FLAGS.dataset_like, FLAGS.scale)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_atomic(dataset, folder)
        rows = len(dataset.interactions()[0]) + len(dataset.triplets) + dataset.num_items
        mib = sum(os.path.getsize(path) for path in paths) / 2**20
        tables = read_atomic(folder, NAME)
        prepared = prepare(tables, Settings())
        target = os.path.join(folder, "prepared")
        parts = {
            "reading and checking": seconds(lambda: read_atomic(folder, NAME), REPEATS),
            "filters, ids, split, graph": seconds(lambda: prepare(tables, Settings()), REPEATS),
            "writing": seconds(lambda: write(prepared, target, NAME, {}), REPEATS),
        }
        bound = seconds(lambda: [pd.read_csv(path, sep="\t", dtype=str) for path in paths], REPEATS)
    whole = sum(timing.median for timing in parts.values())
    report(
        f"Preprocessing like {FLAGS.dataset_like}, scale {FLAGS.scale:g}: {rows:,} rows, {mib:.0f} MiB",
        [
            *((name, timing, "") for name, timing in parts.items()),
            ("all", f"{whole * 1e3:.1f}", f"{whole / bound.median:.2f}"),
            ("bound: pandas reads the files", bound, 1),
        ],
    )


def write_atomic(dataset, folder):
    """Writes `dataset` as atomic files; returns their paths."""
    users, items = dataset.interactions()
    time = np.arange(len(users))
    tables = {
        "inter": {"user_id:token": _ids("u", users), "item_id:token": _ids("i", items), "timestamp:float": time},
        "kg": dict(
            zip(
                ("head_id:token", "relation_id:token", "tail_id:token"),
                (_ids(*column) for column in zip(("m.", "film.r", "m."), dataset.triplets.T)),
            )
        ),
        "link": {
            "item_id:token": _ids("i", np.arange(dataset.num_items)),
            "entity_id:token": _ids("m.", np.arange(dataset.num_items)),
        },
    }
    paths = []
    for kind, columns in tables.items():
        paths.append(os.path.join(folder, f"{NAME}.{kind}"))
        pd.DataFrame(columns).to_csv(paths[-1], sep="\t", index=False)
    return paths


def _ids(prefix, numbers):
    return prefix + pd.Series(numbers).astype(str)


if __name__ == "__main__":
    command_line.run(main, FLAGS)
