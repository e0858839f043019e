"""Prepares a data set: filters, dense ids, leave-one-out split, knowledge graph.

  python -m preprocess --dataset=ml-100k
  python -m preprocess --dataset=amazon-book --raw_dir=DIR [--kgat_dir=DIR]      (also lastfm, yelp2018)
  python -m preprocess --dataset=NAME --source=tables --interactions=clicks.csv --user_column=visitor [--triplets=…]
  python -m preprocess --dataset=NAME --source=atomic --raw_dir=DIR      (DIR/NAME.inter, NAME.kg, NAME.link)

docs/data.md describes the formats, the steps and what is written.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable

from absl import flags

from katrec.common import command_line
from katrec.common.command_line import FlagError
from katrec.common.paper import TABLE_1
from preprocess.catalog import ENTRIES, licence
from preprocess.frames import origin, prepare_and_write
from preprocess.pipeline import Settings
from preprocess.review import summary
from preprocess.sources import Options, amazon_book, atomic, delimited, lastfm, ml_100k, yelp2018
from preprocess.writer import write

SPARK = "spark"
# Sources whose log is read whole, so that a time can cut it.
TIMED = ("ml-100k", "atomic", "tables")
# Which flag says what a column is called in the user's tables.
COLUMN_FLAGS = {flag: column for named in delimited.COLUMNS.values() for column, flag in named.items()}
FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "dataset",
    None,
    "Name of the data set; prepared files go to DATASETS_DIR/NAME.",
    required=True,
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "source",
    None,
    ["ml-100k", "amazon-book", "lastfm", "yelp2018", "atomic", "tables"],
    "What kind of raw data; not needed for a data set that is known by name.",
    flag_values=FLAGS,
)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_string("raw_dir", None, "Folder of the raw files; default: DATASETS_DIR/NAME/raw.", flag_values=FLAGS)
flags.DEFINE_string(
    "kgat_dir",
    None,
    "Folder of the data set in KGAT's repository: its users, items and graph are taken instead of the "
    "k-core, KB4Rec's links and Freebase (amazon-book, lastfm, yelp2018).",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "max_bad_rows",
    0.001,
    "Share of damaged rows that are counted and passed over (amazon-book, lastfm, yelp2018).",
    0,
    1,
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "min_interactions", 10, "Keep users and items with so many interactions (0: all).", 0, flag_values=FLAGS
)
flags.DEFINE_integer(
    "min_entity_count",
    None,
    "Keep entities that stand in so many triplets (default 10; 0 with "
    "--kgat_dir, whose graph is filtered already); items stay.",
    0,
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "min_relation_count",
    None,
    "Keep relations that stand in so many triplets (default 50; 0 with --kgat_dir).",
    0,
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "cold_items",
    False,
    "Keep linked items that the filters, or the log, leave without interactions: they can be recommended by what the "
    "graph says of them (docs/cold-items.md).",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "until",
    None,
    "Leave interactions from this time on out; a time as the log has them (ml-100k, atomic, tables).",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "engine",
    "pandas",
    ["pandas", SPARK],
    "What runs the filters of --source=tables: pandas, in memory, or Spark (extra: spark), for logs that memory does "
    "not hold. The files that are written are the same.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "spark_conf",
    [],
    "--engine=spark: settings such as spark.master=local[8],spark.driver.memory=8g; spark-submit's stay.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "spark_dir",
    None,
    "--engine=spark: folder that all machines see, for what is computed once, a few times the log's size; default: "
    "DATASETS_DIR/NAME.",
    flag_values=FLAGS,
)
for _table in delimited.COLUMNS:
    flags.DEFINE_string(
        _table,
        None,
        f"--source=tables: file of the {_table}, CSV, TSV or Parquet, also packed, or a folder of such; below "
        "--raw_dir if that is given.",
        flag_values=FLAGS,
    )
for _flag, _column in COLUMN_FLAGS.items():
    flags.DEFINE_string(_flag, None, f"--source=tables: what {_column} is called there.", flag_values=FLAGS)
flags.register_validator(
    "dataset",
    lambda name: name is None or (name == os.path.basename(name) and name[:1] not in (".", "")),
    message="a plain name, not a path",
    flag_values=FLAGS,
)

flags.register_validator(
    "max_bad_rows", lambda share: not math.isnan(share), message="a number from 0 to 1", flag_values=FLAGS
)

_KNOWN = {source.NAME: source.load for source in (ml_100k, amazon_book, lastfm, yelp2018)}
_LOADERS = {"atomic": atomic.load, "tables": delimited.load, **_KNOWN}


def main() -> None:
    """Prepares the data set that the flags name."""
    started = time.monotonic()
    name = FLAGS.dataset
    source = FLAGS.source or name
    if source not in _LOADERS:
        raise FlagError(
            f"--dataset={name} is not known by name; give --source=atomic and --raw_dir, or --source=tables, see --help"
        )
    if source in _KNOWN and name != source:
        raise FlagError(f"--source={source} goes with --dataset={source}")
    _check_flags(source)
    folder = os.path.join(FLAGS.datasets_dir, name)
    raw_dir = FLAGS.raw_dir
    if raw_dir is None and source in _KNOWN:
        raw_dir = os.path.join(folder, "raw")
    filters = (0, 0) if FLAGS.kgat_dir else (10, 50)
    given = (FLAGS.min_entity_count, FLAGS.min_relation_count)
    entities, relations = (default if one is None else one for one, default in zip(given, filters))
    settings = Settings(FLAGS.min_interactions, entities, relations, FLAGS.cold_items)
    files, named = _given(delimited.COLUMNS), _given(COLUMN_FLAGS)
    options = Options(FLAGS.kgat_dir, FLAGS.max_bad_rows, FLAGS.min_interactions, files, named, FLAGS.until)
    terms = licence(source, kgat=FLAGS.kgat_dir is not None)
    if FLAGS.engine == SPARK:
        prepared, statistics, num_rows = _on_spark(raw_dir, options, settings, folder, name, terms)
    else:
        tables = _LOADERS[source](name, raw_dir, options)
        prepared, statistics = prepare_and_write(tables, settings, folder, name, source, terms)
        num_rows = len(tables.interactions)
    for row in prepared.report:
        print(f"  {row['step']}: " + ", ".join(f"{key} {row[key]}" for key in row if key not in ("step", "flag")))
    print(f"| {' | '.join(statistics)} |")
    print(f"|{' --- |' * len(statistics)}")
    rows = [list(statistics.values())]
    if name in TABLE_1:
        users, items, interactions, *_ = TABLE_1[name]
        rows.append(["the paper's", *TABLE_1[name], interactions / users / items])
    for row in rows:
        print(f"| {' | '.join(f'{one:.4%}' if isinstance(one, float) else str(one) for one in row)} |")
    print(summary(prepared, num_rows))
    print(f"prepared {name} in {folder} in {time.monotonic() - started:.1f} s")
    for message in prepared.warnings:
        command_line.warn(message)


def _on_spark(raw_dir, options, settings, folder, name, terms):
    """Returns the data set, Table 1's numbers, and how many interactions were read."""
    try:
        from preprocess.spark import engine
    except ImportError as error:
        raise command_line.UserError(
            f"--engine=spark needs the package {error.name}, and Java 17 or later: pip install 'katrec[spark]'"
        ) from None
    wrong = [one for one in FLAGS.spark_conf if "=" not in one]
    if wrong:
        raise FlagError(f"--spark_conf={wrong[0]}: NAME=VALUE, such as spark.driver.memory=8g")
    with engine.session(dict(one.split("=", 1) for one in FLAGS.spark_conf)) as spark:
        spark_dir = FLAGS.spark_dir or folder
        prepared, num_rows, paths = engine.prepare(spark, raw_dir, options, settings, spark_dir)
    return prepared, write(prepared, folder, name, origin(paths, settings, "tables", terms)), num_rows


def _check_flags(source: str) -> None:
    """Checks that no flag is given that the source does not read."""
    if FLAGS.engine == SPARK and source != "tables":
        raise FlagError(f"--engine=spark is for --source=tables, not for {source}")
    if FLAGS.until is not None and (FLAGS.engine == SPARK or source not in TIMED):
        given = "--engine=spark" if FLAGS.engine == SPARK else f"--source={source}"
        raise FlagError(f"--until is for {', '.join(TIMED)} with pandas, not for {given}; leave later rows out before")
    for flag in ("spark_conf", "spark_dir"):
        if FLAGS[flag].present and FLAGS.engine != SPARK:
            raise FlagError(f"--{flag} goes with --engine=spark")
    for names, sources in ((("kgat_dir", "max_bad_rows"), ENTRIES), ((*delimited.COLUMNS, *COLUMN_FLAGS), ("tables",))):
        for name in names:
            if FLAGS[name].present and source not in sources:
                raise FlagError(f"--{name} is for {', '.join(sources)}, not for --source={source}")


def _given(names: Iterable[str]) -> dict[str, str]:
    """Returns {flag: value} of those of the flags that have one."""
    return {name: str(FLAGS[name].value) for name in names if FLAGS[name].value is not None}


def command() -> None:
    """The console script."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
