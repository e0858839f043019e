"""Synthetic raw files of the paper's data sets' formats and sizes."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from katrec.common import files
from katrec.common.paper import TABLE_1
from preprocess.sources import amazon_book, lastfm, yelp2018

CLUSTERS, LOYALTY, FEWEST = 50, 0.8, 10
CHUNK_ROWS = 1 << 20
ZIP_DATE = (2020, 1, 1, 0, 0, 0)


class Sizes(NamedTuple):
    """Table 1's counts, and the rows of the interaction file of which they are a part."""

    users: int
    items: int
    interactions: int
    entities: int
    relations: int
    triplets: int
    rows: int

    def scaled(self, scale: float) -> Sizes:
        """Returns the sizes times `scale`; there are as many relations as before."""
        sizes = {name: max(round(value * scale), 100) for name, value in self._asdict().items()}
        sizes["relations"] = self.relations
        sizes["interactions"] = max(sizes["interactions"], FEWEST * max(sizes["users"], sizes["items"]))
        return Sizes(**{**sizes, "rows": max(sizes["rows"], sizes["interactions"])})


ROWS = {"amazon-book": 22_507_155, "lastfm": 50_000_000, "yelp2018": 5_261_669}
SIZES = {name: Sizes(*counts, ROWS[name]) for name, counts in TABLE_1.items()}


def clusters(count: int) -> np.ndarray:
    """Returns the cluster of each of `count` users, items or entities."""
    return np.arange(count) % CLUSTERS


def kept_interactions(sizes: Sizes, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns users and items, int64[interactions]: each user and each item has at least ten, most within a cluster."""
    slots = _at_least(sizes.users, sizes.interactions, 0.6, generator)
    tokens = _at_least(sizes.items, sizes.interactions, 0.8, generator)
    # Pairing two orders by cluster leaves every user and item its number of interactions.
    left, right = (
        np.lexsort((generator.random(len(ids)), _disloyal(clusters(count)[ids], generator)))
        for ids, count in ((slots, sizes.users), (tokens, sizes.items))
    )
    order = generator.permutation(sizes.interactions)
    return slots[left][order], tokens[right][order]


def _at_least(count, total, exponent, generator):
    """Returns total ids below count, each at least ten times, the others with a power of the rank."""
    further = popular(count, total - FEWEST * count, exponent, generator)
    return np.concatenate([np.repeat(np.arange(count), FEWEST), further])


def popular(count: int, total: int, exponent: float, generator: np.random.Generator) -> np.ndarray:
    """Returns total ids below count, drawn with probability ∝ (id + 1)^−exponent."""
    weights = np.cumsum(np.arange(1, count + 1.0) ** -exponent)
    return np.searchsorted(weights, generator.random(total) * weights[-1]).clip(max=count - 1)


def _disloyal(cluster, generator):
    return np.where(generator.random(len(cluster)) < LOYALTY, cluster, generator.integers(CLUSTERS, size=len(cluster)))


class Format(NamedTuple):
    """How a data set's interactions look.

    Attributes:
      file: the file's name.
      user_id, item_id: functions from numbers to raw ids, object arrays; listed users and items have the first numbers.
      times: first and last second.
      lines: a function from users, items (raw ids), times and ratings 1 … 5 to a list of lines.
    """

    file: str
    user_id: Callable[[np.ndarray], np.ndarray]
    item_id: Callable[[np.ndarray], np.ndarray]
    times: tuple[int, int]
    lines: Callable[..., list[str]]

    def write(
        self, folder: str, sizes: Sizes, users: np.ndarray, items: np.ndarray, generator: np.random.Generator
    ) -> str:
        """Writes the interaction file, the kept interactions among those of rarer users and items; returns its path."""
        path = os.path.join(folder, self.file)
        others = sizes.rows - sizes.interactions
        kept_rows = np.zeros(sizes.rows, bool)
        kept_rows[generator.choice(sizes.rows, sizes.interactions, replace=False, shuffle=False)] = True
        done = 0
        with files.replacing(path) as file, tqdm(total=sizes.rows, unit="row", unit_scale=True, desc=self.file) as bar:
            for start in range(0, sizes.rows, CHUNK_ROWS):
                inside = kept_rows[start : start + CHUNK_ROWS]
                count = int(inside.sum())
                user = sizes.users + generator.integers(max(others // 3, 1), size=len(inside))
                item = sizes.items + generator.integers(max(others // 10, 1), size=len(inside))
                user[inside], item[inside] = users[done : done + count], items[done : done + count]
                done += count
                low, high = (
                    self.times[0] + (self.times[1] - self.times[0]) * at // sizes.rows
                    for at in (start, start + len(inside))
                )
                time = np.sort(generator.integers(low, max(high, low + 1), size=len(inside)))
                lines = self.lines(self.user_id(user), self.item_id(item), time, generator.integers(1, 6, len(inside)))
                file.write("\n".join(lines) + "\n")
                bar.update(len(inside))
        return path


def _joined(separator, *columns):
    frame = pd.DataFrame({str(at): column for at, column in enumerate(columns)})
    return frame.to_csv(sep=separator, header=False, index=False).splitlines()


def _code(prefix, width):
    return lambda numbers: np.array([f"{prefix}{number:0{width}d}" for number in numbers], dtype=object)


def _reviews(users, items, times, ratings):
    dates = np.datetime_as_string(times.astype("datetime64[s]"), unit="s")
    return [
        json.dumps(
            {
                "review_id": f"r{at:021d}",
                "user_id": user,
                "business_id": item,
                "stars": int(stars),
                "useful": 0,
                "funny": 0,
                "cool": 0,
                "text": "No text\nwas written.",
                "date": date.replace("T", " "),
            }
        )
        for at, (user, item, stars, date) in enumerate(zip(users, items, ratings, dates.tolist()))
    ]


def _seconds(date):
    return int(np.datetime64(date, "s").astype(np.int64))


FORMATS = {
    "amazon-book": Format(
        amazon_book.FILE,
        _code("A", 13),
        _code("", 10),
        (_seconds("1996-05-20"), _seconds("2014-07-23")),
        lambda users, items, times, ratings: _joined(",", users, items, ratings.astype(float), times),
    ),
    "lastfm": Format(
        lastfm.FILE,
        _code("", 1),
        _code("", 1),
        (int(lastfm.FIRST), int(lastfm.END)),
        lambda users, items, times, ratings: _joined("\t", users, ratings, ratings, items, times),
    ),
    "yelp2018": Format(
        yelp2018.FILE,
        _code("u", 21),
        _code("b", 21),
        (_seconds("2008-01-01"), _seconds("2018-07-02")),
        _reviews,
    ),
}


def write_kgat(folder: str, name: str, sizes: Sizes, generator: np.random.Generator) -> None:
    """Writes the lists and kg_final of KGAT's repository."""
    items, entities = sizes.items, sizes.items + sizes.entities
    item_ids = FORMATS[name].item_id(np.arange(items))
    freebase = np.array([f"m.{number:06x}" for number in range(entities)], dtype=object)
    gap = "" if name == "yelp2018" else " "
    _lines(
        folder,
        "item_list.txt",
        "org_id remap_id freebase_id",
        [f"{item}{gap}{number} {freebase[number]}" for number, item in enumerate(item_ids)],
    )
    user_ids = FORMATS[name].user_id(np.arange(sizes.users))
    for listed, ids in (
        ("user", user_ids),
        ("entity", freebase),
        ("relation", [f"relation.{number}" for number in range(sizes.relations)]),
    ):
        _lines(folder, f"{listed}_list.txt", "org_id remap_id", [f"{one} {number}" for number, one in enumerate(ids)])
    rows = kept_triplets(sizes, generator)
    text = pd.DataFrame(rows).to_csv(sep=" ", header=False, index=False)
    if name == "lastfm":
        with files.replacing(os.path.join(folder, "kg_final.txt")) as file:
            file.write(text)
        return
    with (
        files.replacing(os.path.join(folder, "kg_final.txt.zip"), "wb") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr(zipfile.ZipInfo("kg_final.txt", ZIP_DATE), text, zipfile.ZIP_DEFLATED)


def kept_triplets(sizes: Sizes, generator: np.random.Generator) -> np.ndarray:
    """Returns distinct triplets, int64[triplets, 3]: an item's entities are mostly its cluster's."""
    found = np.empty(0, np.int64)
    attributes, total = sizes.entities, sizes.items + sizes.entities
    while len(found) < sizes.triplets:
        drawn = int((sizes.triplets - len(found)) * 1.3) + 100
        heads = generator.integers(sizes.items, size=drawn)
        tails = popular(-(-attributes // CLUSTERS), drawn, 0.8, generator) * CLUSTERS
        tails = np.minimum(tails + _disloyal(clusters(sizes.items)[heads], generator), attributes - 1) + sizes.items
        relations = popular(sizes.relations, drawn, 1.0, generator)
        found = np.unique(np.concatenate([found, (heads * sizes.relations + relations) * total + tails]))
    keys = np.sort(generator.permutation(found)[: sizes.triplets])
    return np.stack([keys // total // sizes.relations, keys // total % sizes.relations, keys % total], axis=1)


def _lines(folder, name, header, lines):
    with files.replacing(os.path.join(folder, name)) as file:
        file.write("\n".join([header, *lines]) + "\n")
