"""The files of KGAT's repository (Wang et al. 2019b): which users and items are kept, and the knowledge graph.

Space-separated with a header: item_list.txt (org_id remap_id freebase_id), user_list.txt, entity_list.txt and
relation_list.txt (org_id remap_id); kg_final.txt (head relation tail, integers without a header), as it is or zipped.
Items are the entities 0 … |I| − 1 with the same number; users are not in kg_final. An org_id may hold spaces: lines are
split from the right. Yelp's item_list has no space between the first two columns: the id is what stands before the
number, 22 characters.
"""

from __future__ import annotations

import collections
import io
import os
import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from katrec.common.command_line import UserError, reason
from katrec.common.ids import fault
from preprocess.unpack import copy

YELP_ID_LENGTH = 22
# A longer number is no row of a list.
_NUMBER = re.compile(r"[0-9]{1,15}")
MAX_GRAPH_BYTES = 1 << 30


class Kgat(NamedTuple):
    """What a folder of the repository holds.

    Attributes:
      users: raw user ids, a set.
      items: raw item ids, a set.
      triplets, links: as in `preprocess.tables.Tables`.
      files: paths of the files read.
    """

    users: frozenset[str]
    items: frozenset[str]
    triplets: pd.DataFrame
    links: pd.DataFrame
    files: tuple[str, ...]


def read(folder: str) -> Kgat:
    """Reads the lists and the graph of one data set.

    Raises:
      UserError: a file is missing, or names the line that does not fit.
    """
    lists = {name: os.path.join(folder, f"{name}_list.txt") for name in ("user", "item", "entity", "relation")}
    users, _ = _numbered(lists["user"], 2, asked_for=True)
    items, item_numbers = _numbered(lists["item"], 3, asked_for=True)
    entities, entity_numbers = _numbered(lists["entity"], 2)
    relations, relation_numbers = _numbered(lists["relation"], 2)
    graph, heads_relations_tails = _graph(folder)
    entity_of = _by_number(entities, entity_numbers, lists["entity"])
    relation_of = _by_number(relations, relation_numbers, lists["relation"])
    for column, names, name in ((0, entity_of, "entity"), (1, relation_of, "relation"), (2, entity_of, "entity")):
        if len(heads_relations_tails) and heads_relations_tails[:, column].max() >= len(names):
            row = int(np.argmax(heads_relations_tails[:, column] >= len(names)))
            raise UserError(
                f"{graph}: line {row + 1}: {name} {heads_relations_tails[row, column]} is not in "
                f"{lists[name]}, which has {len(names)}"
            )
    if item_numbers.max(initial=-1) >= len(entity_of):
        raise UserError(f"{lists['item']}: item {item_numbers.max()} is no entity of {lists['entity']}")
    triplets = pd.DataFrame(
        {
            name: names[heads_relations_tails[:, column]]
            for column, (name, names) in enumerate(
                (("head_id", entity_of), ("relation_id", relation_of), ("tail_id", entity_of))
            )
        }
    )
    links = pd.DataFrame({"item_id": items, "entity_id": entity_of[item_numbers]})
    return Kgat(frozenset(users), frozenset(items), triplets, links, (*lists.values(), graph))


def _numbered(path, columns, asked_for=False):
    """Returns the raw ids, object[n], and their numbers, int64[n], of a list with a header.

    Args:
      path: the list.
      columns: how many it has.
      asked_for: whether users ask for the ids, in lines: then each stands there once, without tabs and line ends.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            # A line ends with a line feed alone: other ends are characters of an id.
            lines = [line.rstrip("\r\n") for line in file]
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; --kgat_dir must hold the files of the data set in KGAT's repository"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({reason(error)})") from None
    ids, numbers = [], []
    for at, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        parts = line.rsplit(" ", columns - 1)
        if columns == 3 and len(parts) == 2 and _NUMBER.fullmatch(parts[0][YELP_ID_LENGTH:]):
            parts = [parts[0][:YELP_ID_LENGTH], parts[0][YELP_ID_LENGTH:], parts[1]]
        if len(parts) != columns or not _NUMBER.fullmatch(parts[1]) or not parts[0]:
            raise UserError(f"{path}: line {at}: {line[:100]!r} is not an id and a number separated by a space")
        ids.append(parts[0])
        numbers.append(int(parts[1]))
        found = fault(parts[0], breaks=not asked_for)
        if found:
            raise UserError(f"{path}: line {at}: the id {found}")
    if asked_for and len(set(ids)) < len(ids):
        twice = next(one for one, count in collections.Counter(ids).items() if count > 1)
        raise UserError(f"{path}: the id {twice!r} stands there twice")
    return np.array(ids, dtype=object), np.array(numbers, dtype=np.int64)


def _by_number(ids, numbers, path):
    """Returns the ids in the order of their numbers, which must be 0 … n − 1."""
    order = np.argsort(numbers, kind="stable")
    if not np.array_equal(numbers[order], np.arange(len(numbers))):
        raise UserError(f"{path}: the numbers are not 0 to {len(numbers) - 1}, each once")
    return ids[order]


def _graph(folder):
    """Returns the path of kg_final and its rows, int64[n, 3]."""
    path = os.path.join(folder, "kg_final.txt")
    zipped = path + ".zip" if os.path.exists(path + ".zip") else os.path.join(folder, "kg_final.zip")
    if not os.path.exists(path) and not os.path.exists(zipped):
        raise UserError(f"{path}: no such file, and no kg_final.txt.zip; --kgat_dir must hold one of them")
    if os.path.exists(path):
        return path, _triplets(path, path)
    content = io.BytesIO()
    copy(zipped, "kg_final.txt", content, MAX_GRAPH_BYTES)
    content.seek(0)
    return zipped, _triplets(content, zipped)


def _triplets(source, path):
    try:
        frame = pd.read_csv(source, sep=" ", header=None, dtype=np.int64)
    except pd.errors.EmptyDataError:
        return np.empty((0, 3), np.int64)
    except (ValueError, OverflowError) as error:  # a ParserError is a ValueError
        raise UserError(f"{path}: not three integers a line separated by spaces ({reason(error)})") from None
    if frame.shape[1] != 3 or frame.to_numpy().min() < 0:
        raise UserError(f"{path}: not three integers from 0 a line separated by spaces")
    return frame.to_numpy()
