"""Amazon's book ratings (He and McAuley 2016): lines `user,item,rating,timestamp` without a header."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pandas as pd

from preprocess.sources import Options, large
from preprocess.streaming import Damage, separated
from preprocess.tables import Tables

NAME = "amazon-book"
FILE = "ratings_Books.csv"
LINKS = "ab2fb.txt"


def load(name: str, raw_dir: str, options: Options) -> Tables:
    """Returns the tables of Amazon-book; ids are strings, leading zeros are kept. See `large.load`."""
    return large.load(os.path.join(raw_dir, FILE), read, raw_dir, options, LINKS)


def read(path: str, damage: Damage) -> Iterator[pd.DataFrame]:
    """Yields the file's frames; every rating is an interaction."""
    return separated(path, ",", ["user_id", "item_id", None, "timestamp"], damage)
