"""Writes raw files of the paper's data sets' formats and sizes, so that the whole path can be run without the data.

  python -m preprocess.synthesize --like=amazon-book --raw_dir=DIR [--scale=0.1]
  python -m preprocess --dataset=amazon-book --raw_dir=DIR --kgat_dir=DIR

Table 1's users, items, entities, relations, triplets and interactions are inside a larger file, as in the real ones:
popularity falls as a power of the rank, users keep to clusters of items that share entities of the graph, times grow.
Nothing about recommending can be learned from these numbers.
"""

from __future__ import annotations

import os

import numpy as np
from absl import flags

from katrec.common import command_line
from preprocess.synthetic import FORMATS, SIZES, kept_interactions, write_kgat

FLAGS = flags.FlagValues()
flags.DEFINE_enum(
    "like", None, list(SIZES), "The data set whose formats and sizes are taken.", required=True, flag_values=FLAGS
)
flags.DEFINE_string("raw_dir", None, "Folder that the files are written to.", required=True, flag_values=FLAGS)
flags.DEFINE_float("scale", 1.0, "Factor of all sizes but the number of relations.", 1e-4, 100, flag_values=FLAGS)
flags.DEFINE_integer("seed", 0, "Seed; the same seed and scale give the same bytes.", 0, flag_values=FLAGS)


def main() -> None:
    """Does what the flags say."""
    name, folder = FLAGS.like, FLAGS.raw_dir
    sizes = SIZES[name].scaled(FLAGS.scale)
    os.makedirs(folder, exist_ok=True)
    generator = np.random.default_rng(FLAGS.seed)
    users, items = kept_interactions(sizes, generator)
    path = FORMATS[name].write(folder, sizes, users, items, generator)
    write_kgat(folder, name, sizes, generator)
    print(
        f"{path}: {sizes.rows:,} rows, {sizes.interactions:,} of them of listed users and items; lists and "
        f"kg_final beside it ({sizes.triplets:,} triplets)"
    )


def command() -> None:
    """The command."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
