"""Amazon's book ratings (He and McAuley 2016): lines `user,item,rating,timestamp` without a header."""

import os

from preprocess.sources import large
from preprocess.streaming import separated

NAME = "amazon-book"
FILE = "ratings_Books.csv"
LINKS = "ab2fb.txt"


def load(name, raw_dir, options):
    """Returns the tables of Amazon-book; ids are strings, leading zeros are kept. See `large.load`."""
    return large.load(os.path.join(raw_dir, FILE), read, raw_dir, options, LINKS)


def read(path, damage):
    """Yields the file's frames; every rating is an interaction."""
    return separated(path, ",", ["user_id", "item_id", None, "timestamp"], damage)
