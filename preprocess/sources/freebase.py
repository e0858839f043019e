"""One-hop and two-hop triplets of linked items from the Freebase dump, in two passes over the compressed file.

freebase-rdf-latest.gz has a statement a line, `<…/ns/m.xxx>\\t<…/ns/pred>\\t<object>\\t.`; kept are those between two
entities (m.… or g.…). Memory is bounded by what is kept. What a pass finds is written to a file of its own, so that a
stopped extraction goes on with the pass that it was in.
"""

from __future__ import annotations

import os
import re

import pandas as pd

from katrec.common import files
from katrec.common.command_line import UserError
from preprocess.streaming import blocks

DUMP = "freebase-rdf-latest.gz"
COLUMNS = ["head_id", "relation_id", "tail_id"]
_NODE = rb"<http://rdf\.freebase\.com/ns/([mg]\.[^>]+)>"
STATEMENT = re.compile(_NODE + rb"\t<http://rdf\.freebase\.com/ns/([^>]+)>\t" + _NODE + rb"\t\.")


def extract(raw_dir: str, linked: pd.Series) -> tuple[pd.DataFrame, str]:
    """Returns the triplets within two hops of the linked entities, and the path of the dump.

    Args:
      raw_dir: folder of the dump, where the two passes' files are kept.
      linked: ids of the linked entities.

    Raises:
      UserError: there is no dump, or the kept files belong to other entities.
    """
    dump = os.path.join(raw_dir, DUMP)
    hops = [os.path.join(raw_dir, f"freebase-hop{hop}.tsv") for hop in (1, 2)]
    if not os.path.exists(dump):
        raise UserError(f"{dump}: no such file; fetch the Freebase dump (22 GB) or give --kgat_dir")
    reached = {entity.encode() for entity in linked}
    for number, path in enumerate(hops, start=1):
        if not os.path.exists(path):
            _pass(dump, path, reached, f"Freebase, pass {number} of 2")
        triplets = pd.read_csv(path, sep="\t", names=COLUMNS, dtype=object, quoting=3, keep_default_na=False)
        reached |= {entity.encode() for name in ("head_id", "tail_id") for entity in triplets[name].unique()}
    return triplets, dump


def _pass(dump, path, reached, title):
    """Writes the statements that name one of `reached`."""
    with files.replacing(path, "wb") as file:
        for block in blocks(dump, title):
            file.writelines(
                b"\t".join(statement) + b"\n"
                for statement in STATEMENT.findall(block.text)
                if statement[0] in reached or statement[2] in reached
            )
