"""KB4Rec's links from items to Freebase entities (Zhao et al. 2019)."""

from __future__ import annotations

import re

import pandas as pd

from katrec.common.command_line import UserError
from katrec.common.ids import fault

ENTITY = re.compile(r"[mg]\.\w+", re.ASCII)
# Older files name the kind of item before its id.
PREFIX = re.compile(r"(?:movie|music|book|track|song|item)_(?=.)")


def read(path: str) -> pd.DataFrame:
    """Returns the columns item_id, entity_id of a file of lines `item<TAB>m.xxx`; the first link of an item counts.

    Raises:
      UserError: the file is missing, or a line is no such pair.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            rows = [line.rstrip("\r\n").split("\t") for line in file]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; it is KB4Rec's link file, or give --kgat_dir") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    for at, row in enumerate(rows, start=1):
        if len(row) != 2 or fault(row[0]) or not ENTITY.fullmatch(row[1]):
            raise UserError(f"{path}: line {at}: {'<TAB>'.join(row)[:100]!r} is no item, tab and Freebase id (m.…)")
    table = pd.DataFrame(
        [(PREFIX.sub("", item, count=1), entity) for item, entity in rows],
        columns=["item_id", "entity_id"],
        dtype=object,
    )
    return table.drop_duplicates("item_id").reset_index(drop=True)
