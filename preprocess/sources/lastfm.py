"""Last.fm's listening events: LFM-1b_LEs.txt, tab-separated `user artist album track timestamp` (Schedl 2016)."""

import datetime
import os

from preprocess.sources import large
from preprocess.streaming import separated

NAME = "lastfm"
FILE = "LFM-1b_LEs.txt"
LINKS = "lfb2fb.txt"
# The paper's period, in UTC: from the first second of January 2014 to the last one of August.
FIRST, END = (datetime.datetime(2014, month, 1, tzinfo=datetime.timezone.utc).timestamp() for month in (1, 9))


def load(name, raw_dir, options):
    """Returns the tables of LastFM; tracks are the items. See `large.load`."""
    near = [
        (
            "listening events of January to August 2014",
            lambda frame: (frame["timestamp"] >= FIRST) & (frame["timestamp"] < END),
        )
    ]
    return large.load(os.path.join(raw_dir, FILE), read, raw_dir, options, LINKS, near)


def read(path, damage):
    """Yields the file's frames, a row a listening event."""
    return separated(path, "\t", ["user_id", None, None, "item_id", "timestamp"], damage)
