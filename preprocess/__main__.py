"""Prepares a data set: filters, dense ids, leave-one-out split, knowledge graph.

  python -m preprocess --dataset=ml-100k
  python -m preprocess --dataset=NAME --source=atomic --raw_dir=DIR      (DIR/NAME.inter, NAME.kg, NAME.link)
"""

import os
import time

from absl import flags

from katrec_common import files
from katrec_common.command_line import FlagError, run
from preprocess.pipeline import Settings, prepare
from preprocess.sources import atomic, ml_100k
from preprocess.writer import write

FLAGS = flags.FLAGS
flags.DEFINE_string("dataset", None, "Name of the data set; prepared files go to DATASETS_DIR/NAME.", required=True)
flags.DEFINE_enum("source", None, ["ml-100k", "atomic"],
                  "What kind of raw data; not needed for a data set that is known by name.")
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.")
flags.DEFINE_string("raw_dir", None, "Folder of the raw files; default for ml-100k: DATASETS_DIR/ml-100k/raw.")
flags.DEFINE_integer("min_interactions", 10, "Keep users and items with so many interactions (0: all).", 0)
flags.DEFINE_integer("min_entity_count", 10, "Keep entities that stand in so many triplets; items stay.", 0)
flags.DEFINE_integer("min_relation_count", 50, "Keep relations that stand in so many triplets.", 0)
flags.register_validator("dataset", lambda name: name is None or (name == os.path.basename(name) and name[:1] != "."),
                         message="a plain name, not a path")

_LOADERS = {"atomic": atomic.load, "ml-100k": ml_100k.load}


def main():
    started = time.monotonic()
    name = FLAGS.dataset
    source = FLAGS.source or name
    if source not in _LOADERS:
        raise FlagError(f"--dataset={name} is not known by name; give --source=atomic and --raw_dir, see --help")
    if source == ml_100k.NAME and name != ml_100k.NAME:
        raise FlagError(f"--source={source} goes with --dataset={ml_100k.NAME}")
    folder = os.path.join(FLAGS.datasets_dir, name)
    raw_dir = FLAGS.raw_dir
    if raw_dir is None and source != "atomic":
        raw_dir = os.path.join(folder, "raw")
    settings = Settings(FLAGS.min_interactions, FLAGS.min_entity_count, FLAGS.min_relation_count)
    tables = _LOADERS[source](name, raw_dir)
    prepared = prepare(tables, settings)
    statistics = write(prepared, folder, name, {
        "source": source,
        "settings": settings._asdict(),
        "inputs": {os.path.basename(path): files.sha256(path) for path in tables.files},
    })
    for row in prepared.report:
        print(f"  {row['step']}: " + ", ".join(f"{key} {row[key]}" for key in row if key != "step"))
    print("| dataset | users | items | interactions | entities | relations | triplets | density |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    *counts, density = statistics.values()
    print(f"| {' | '.join(map(str, counts))} | {density:.4%} |")
    print(f"prepared {name} in {folder} in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    run(main)
