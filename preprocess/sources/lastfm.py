"""Last.fm's listening events: LFM-1b_LEs.txt, tab-separated `user artist album track timestamp` (Schedl 2016)."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator

import pandas as pd

from preprocess.sources import Options, large
from preprocess.streaming import Damage, separated
from preprocess.tables import Tables

NAME = "lastfm"
FILE = "LFM-1b_LEs.txt"
LINKS = "lfb2fb.txt"
# The paper's period, in UTC: from the first second of January 2014 to the last one of August.
FIRST, END = (datetime.datetime(2014, month, 1, tzinfo=datetime.timezone.utc).timestamp() for month in (1, 9))


def load(name: str, raw_dir: str, options: Options) -> Tables:
    """Returns the tables of LastFM; tracks are the items. See `large.load`."""
    near = [
        (
            "listening events of January to August 2014",
            lambda frame: (frame["timestamp"] >= FIRST) & (frame["timestamp"] < END),
        )
    ]
    return large.load(os.path.join(raw_dir, FILE), read, raw_dir, options, LINKS, near)


def read(path: str, damage: Damage) -> Iterator[pd.DataFrame]:
    """Yields the file's frames, one row for each listening event."""
    return separated(path, "\t", ["user_id", None, None, "item_id", "timestamp"], damage)
