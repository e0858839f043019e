"""A tiny data set in RecBole's atomic files: items of four genres and their sequels, users who like two genres."""

import numpy as np

from preprocess import pipeline
from preprocess.tables import read_atomic
from preprocess.writer import write

USERS, ITEMS, GENRES = 40, 24, 4


def write_atomic(folder, name="tiny", seed=0):
    """Writes name.inter, .kg, .link and .item into `folder`."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows, time = [], 0
    for user in range(USERS):
        liked = [item for item in range(ITEMS) if item % GENRES in (user % GENRES, (user + 1) % GENRES)]
        for item in generator.permutation(liked)[: generator.integers(6, len(liked) + 1)]:
            time += 1
            rows.append((f"u{user}", f"i{item}", 5, time))
    triplets = [(f"m.{item}", "film.genre", f"g.{item % GENRES}") for item in range(ITEMS - 1)]
    triplets += [(f"m.{item}", "film.director", f"d.{item % 7}") for item in range(ITEMS - 1)]
    triplets += [(f"m.{item}", "film.sequel", f"m.{item + GENRES}") for item in range(0, ITEMS - GENRES - 1, 2)]
    _write(folder / f"{name}.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float", rows)
    _write(folder / f"{name}.kg", "head_id:token\trelation_id:token\ttail_id:token", triplets)
    # The last item's entity has no triplet.
    links, titles = ([(f"i{item}", f"{text}{item}") for item in range(ITEMS)] for text in ("m.", "Film "))
    _write(folder / f"{name}.link", "item_id:token\tentity_id:token", links)
    _write(folder / f"{name}.item", "item_id:token\tmovie_title:token_seq", titles)
    return folder


def prepare(raw, folder):
    """Prepares the atomic files of `raw` into `folder`/tiny."""
    prepared = pipeline.prepare(read_atomic(str(raw), "tiny"), pipeline.Settings(2, 2, 2))
    write(prepared, str(folder / "tiny"), "tiny", {})


def _write(path, header, rows):
    path.write_text("\n".join([header, *("\t".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
