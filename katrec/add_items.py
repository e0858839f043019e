"""Adds items that arrived after training to an export, and writes another one; nothing is trained.

  python -m katrec.add_items --saved_model=models/katrec --triplets=new.csv --links=links.csv --to=models/katrec-2

The export must be one of katrec.export --extendable. Tables are CSV, TSV or Parquet, with the columns head_id,
relation_id, tail_id (triplets), item_id, entity_id (links) and item_id, title (titles). Without links each head of a
triplet that the model does not know is a new item.
"""

from __future__ import annotations

import os

from absl import flags

from katrec.common import command_line
from katrec.common.command_line import FlagError

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "saved_model", None, "Folder that python -m katrec.export --extendable wrote.", required=True, flag_values=FLAGS
)
flags.DEFINE_string("triplets", None, "What the graph says of the new items.", required=True, flag_values=FLAGS)
flags.DEFINE_string("links", None, "The new items, and which entity each is.", flag_values=FLAGS)
flags.DEFINE_string("titles", None, "Their titles.", flag_values=FLAGS)
flags.DEFINE_string("to", None, "Folder to write; there must be none of this name.", required=True, flag_values=FLAGS)


def main() -> None:
    """Adds the items that the flags name."""
    if os.path.exists(FLAGS.to):
        raise FlagError(f"--to={FLAGS.to}: exists; remove it or choose another name")
    from katrec.common.tabular import ending_of, read, readable

    paths = {name: FLAGS[name].value for name in ("triplets", "links", "titles")}
    for name, path in paths.items():
        if path and ending_of(path) not in readable():
            raise FlagError(f"--{name}={path}: the ending says what a file is: {', '.join(readable())}")
    tables = {name: read(path) for name, path in paths.items() if path}
    # TensorFlow takes seconds to import: tables are read before.
    from katrec.serving.additions import add_items

    add_items(FLAGS.saved_model, **tables, to=FLAGS.to)


def command() -> None:
    """The console script."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
