"""Yelp's reviews: yelp_academic_dataset_review.json, a JSON object a line; businesses are the items."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import numpy as np
import pandas as pd

from katrec.common.ids import fault
from preprocess.sources import Options, large
from preprocess.streaming import Damage, blocks
from preprocess.tables import Tables

NAME = "yelp2018"
FILE = "yelp_academic_dataset_review.json"


def load(name: str, raw_dir: str, options: Options) -> Tables:
    """Returns the tables of Yelp2018; its graph, of business attributes, is KGAT's. See `large.load`."""
    return large.load(os.path.join(raw_dir, FILE), read, raw_dir, options)


def read(path: str, damage: Damage) -> Iterator[pd.DataFrame]:
    """Yields the file's frames; dates are `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS`, taken as UTC."""
    for block in blocks(path):
        rows = [_row(line) for line in block.text.split(b"\n")[:-1]]
        frame = pd.DataFrame(rows, columns=["user_id", "item_id", "date"], dtype=object)
        dates = frame.pop("date")
        short = dates.str.len() == 10
        dates = pd.to_datetime(dates.where(~short, dates + " 00:00:00"), format="%Y-%m-%d %H:%M:%S", errors="coerce")
        good = dates.notna().to_numpy()
        # In whole seconds, which reach beyond the years of nanoseconds.
        frame["timestamp"] = dates.to_numpy("datetime64[s]").astype(np.float64)
        damage.add(block, len(frame), good)
        yield frame[good]


def _row(line):
    """Returns user, business and date of a line; nothing for one that is damaged."""
    try:
        review = json.loads(line)
        row = review["user_id"], review["business_id"], review["date"]
        return row if all(map(_is_id, row)) else (None, None, None)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, None, None


def _is_id(value):
    # The quick test is enough for nearly all.
    return isinstance(value, str) and (bool(value) and value.isascii() and value.isprintable() or not fault(value))
