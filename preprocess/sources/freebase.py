"""One-hop and two-hop triplets of linked items from the Freebase dump, in two passes over the compressed file.

freebase-rdf-latest.gz has a statement a line, `<…/ns/m.xxx>\\t<…/ns/pred>\\t<object>\\t.`; kept are those between two
entities (m.… or g.…). Memory is bounded by what is kept. What a pass finds is written to a file of its own, and what it
was made from beside it, so that a stopped extraction goes on with the pass that it was in.
"""

from __future__ import annotations

import hashlib
import os
import re

import pandas as pd

from katrec.common import files, sealed
from katrec.common.command_line import UserError
from preprocess.streaming import blocks

DUMP = "freebase-rdf-latest.gz"
COLUMNS = ["head_id", "relation_id", "tail_id"]
# Of printable ASCII, as all of the dump's are; ">" ends an id.
_NODE = rb"<http://rdf\.freebase\.com/ns/([mg]\.[!-=?-~]+)>"
STATEMENT = re.compile(_NODE + rb"\t<http://rdf\.freebase\.com/ns/([!-=?-~]+)>\t" + _NODE + rb"\t\.")
EDGE_BYTES = 1 << 20


def extract(raw_dir: str, linked: pd.Series) -> tuple[pd.DataFrame, str]:
    """Returns the triplets within two hops of the linked entities, and the path of the dump.

    Args:
      raw_dir: folder of the dump, where the two passes' files are kept.
      linked: ids of the linked entities.

    Raises:
      UserError: there is no dump, or it is damaged.
    """
    dump = os.path.join(raw_dir, DUMP)
    if not os.path.exists(dump):
        raise UserError(f"{dump}: no such file; fetch the Freebase dump (22 GB) or give --kgat_dir")
    source = _source(dump, linked)
    reached = {entity.encode() for entity in linked}
    for number in (1, 2):
        path = os.path.join(raw_dir, f"freebase-hop{number}.tsv")
        if not _is_kept(path, source):
            _pass(dump, path, reached, f"Freebase, pass {number} of 2")
            sealed.write(_note(path), {**source, "sha256": files.sha256(path)})
        triplets = pd.read_csv(path, sep="\t", names=COLUMNS, dtype=object, quoting=3, keep_default_na=False)
        reached |= {entity.encode() for name in ("head_id", "tail_id") for entity in triplets[name].unique()}
    return triplets, dump


def _source(dump, linked):
    """Returns what tells one extraction from another: the dump, by its size, beginning and end, and the entities."""
    with open(dump, "rb") as file:
        edges = hashlib.sha256(file.read(EDGE_BYTES))
        size = os.path.getsize(dump)
        file.seek(max(0, size - EDGE_BYTES))
        edges.update(file.read())
    entities = hashlib.sha256("\n".join(sorted(set(linked))).encode())
    return {"dump_bytes": size, "dump_edges": edges.hexdigest(), "linked_entities": entities.hexdigest()}


def _is_kept(path, source):
    """Returns whether an earlier extraction from the same dump and entities left the pass's file, undamaged."""
    if not (os.path.exists(path) and os.path.exists(_note(path))):
        return False
    try:
        kept = sealed.read(_note(path))
    except UserError:
        return False
    return kept == {**source, "sha256": files.sha256(path)}


def _note(path):
    """Returns the path of the file that says what a pass was made from."""
    return path + ".json"


def _pass(dump, path, reached, title):
    """Writes the statements that name one of `reached`."""
    with files.replacing(path, "wb") as file:
        for block in blocks(dump, title):
            file.writelines(
                b"\t".join(statement) + b"\n"
                for statement in STATEMENT.findall(block.text)
                if statement[0] in reached or statement[2] in reached
            )
