"""Yelp's reviews: yelp_academic_dataset_review.json, a JSON object a line; businesses are the items."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import numpy as np
import pandas as pd

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
        rows = [_row(line) for line in block.text.splitlines()]
        frame = pd.DataFrame(rows, columns=["user_id", "item_id", "date"], dtype=object)
        dates = frame.pop("date")
        short = dates.str.len() == 10
        dates = pd.to_datetime(dates.where(~short, dates + " 00:00:00"), format="%Y-%m-%d %H:%M:%S", errors="coerce")
        frame["timestamp"] = (dates - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
        good = np.isfinite(frame["timestamp"].to_numpy(np.float64))
        damage.add(block, len(frame), good)
        yield frame[good]


def _row(line):
    """Returns user, business and date of a line; nothing for one that is damaged."""
    try:
        review = json.loads(line)
        row = review["user_id"], review["business_id"], review["date"]
        return row if all(isinstance(value, str) and value for value in row) else (None, None, None)
    except (ValueError, KeyError, TypeError):
        return None, None, None
