"""A prepared data set in memory (docs/data.md)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple, Optional

import numpy as np

from katrec.common import files, sealed
from katrec.common.command_line import UserError
from katrec.common.ids import unpack

UNSTATED = "not stated"
NO_ITEMS = np.zeros(0, np.int32)


class Dataset(NamedTuple):
    """What `python -m preprocess` wrote.

    Attributes:
      name: the data set's name.
      offsets: int64[users + 1]; user u's training items are items[offsets[u]:offsets[u + 1]], oldest first.
      items: int32[training interactions].
      valid, test: int32[users], the held-out items, −1 where a user has none.
      triplets: int32[triplets, 3], head, relation, tail; entities 0 … num_items − 1 are the items.
      num_items, num_entities, num_relations: sizes; entities include the items.
      checksums: SHA-256 of each prepared file.
      licence: the raw data's terms, as far as they are known.
      folder: where the prepared files are; "" for a data set that was made in memory.
      cold: int32[cold items], sorted: items of the catalogue that nobody has interacted with yet. They are nodes of
        the graph and candidates of a ranking, but no targets and no negatives of a model's own loss.
      names: {"item", "user", "entity", "relation": raw ids} of a data set whose ids are not those of its files.
    """

    name: str
    offsets: np.ndarray
    items: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    triplets: np.ndarray
    num_items: int
    num_entities: int
    num_relations: int
    checksums: dict
    licence: str = UNSTATED
    folder: str = ""
    cold: np.ndarray = NO_ITEMS
    names: Optional[Mapping[str, list[str]]] = None

    @property
    def num_users(self) -> int:
        return len(self.valid)

    def histories(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns what a model may read to predict the held-out items of `split`: offsets and items.

        Args:
          split: "valid" (the training items) or "test" (the training items and the validation item).
        """
        if split == "valid":
            return self.offsets, self.items
        held = self.valid >= 0
        ends = self.offsets[1:][held]
        offsets = self.offsets + np.concatenate([[0], np.cumsum(held)])
        return offsets, np.insert(self.items, ends, self.valid[held])

    def interactions(self, until: str = "test") -> tuple[np.ndarray, np.ndarray]:
        """Returns the interactions up to those of a split: the arrays user, item.

        Args:
          until: "valid" (training and validation items, what is known when these are predicted) or "test" (all).
        """
        users = np.repeat(np.arange(self.num_users), np.diff(self.offsets))
        later = [self.valid] if until == "valid" else [self.valid, self.test]
        held = [np.flatnonzero(targets >= 0) for targets in later]
        items = [targets[who] for targets, who in zip(later, held)]
        return np.concatenate([users, *held]), np.concatenate([self.items, *items])

    @property
    def is_cold(self) -> np.ndarray:
        """Whether each item is one of `cold`, bool[|I|]."""
        return np.isin(np.arange(self.num_items), self.cold)

    def popularity(self) -> np.ndarray:
        """Returns how many training interactions each item has, int64[|I|]."""
        return np.bincount(self.items, minlength=self.num_items)

    def raw_ids(self, what: str) -> list[str]:
        """Returns raw ids in the order of their numbers.

        Args:
          what: "item", "user", "entity" (items' entities first) or "relation".

        Raises:
          UserError: the prepared file is missing or damaged.
        """
        if self.names is not None:
            return self.names[what]
        if what in ("item", "user"):
            path = os.path.join(self.folder, "ids.npz")
            arrays = files.read_arrays(
                path, [f"{one}_{part}" for one in ("item", "user") for part in ("bytes", "offsets")]
            )
            try:
                return unpack(arrays[f"{what}_bytes"], arrays[f"{what}_offsets"])
            except (KeyError, ValueError, IndexError) as error:
                raise UserError(f"{path}: cannot be read ({error}); prepare the data set again") from None
        return self.table_ids(what)

    def table_ids(self, what: str) -> list[str]:
        """Returns the raw ids that a table, such as items.tsv, has; arguments and errors as in `raw_ids`."""
        if self.names is not None:
            return self.names[what]
        plural = {"entity": "entities"}.get(what, f"{what}s")
        return files.read_column(os.path.join(self.folder, f"{plural}.tsv"), f"{what}_id")


def load(datasets_dir: str, name: str) -> Dataset:
    """Reads `datasets_dir`/`name`.

    Raises:
      UserError: the data set is not prepared, or its files do not fit together.
    """
    folder = os.path.join(datasets_dir, name)
    manifest_path = os.path.join(folder, files.MANIFEST)
    if not os.path.exists(manifest_path):
        raise UserError(f"{folder}: no prepared data set; run: python -m preprocess --dataset={name}")
    manifest = sealed.read(manifest_path)
    if manifest.get("format") != files.DATA_FORMAT or not isinstance(manifest.get("outputs"), dict):
        raise UserError(f"{folder}: prepared by another version of katrec; prepare the data set again")
    for output, checksum in manifest["outputs"].items():
        path = os.path.join(folder, output)
        if not os.path.exists(path) or files.sha256(path) != checksum:
            raise UserError(f"{path}: missing, or not what was prepared (its SHA-256 differs); prepare it again")
    try:
        return _read(folder, name, manifest)
    # The files are those that were written: only another version's, or one made by hand, has other content.
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise UserError(f"{folder}: the files do not fit together; prepare the data set again") from None


def _read(folder, name, manifest):
    """Returns the data set whose files were checked; raises ValueError and others where they do not fit together."""
    statistics = files.read_object(os.path.join(folder, "statistics.json"))
    dataset = Dataset(
        name=name,
        triplets=files.read_arrays(os.path.join(folder, "triplets.npz"), ["triplets"])["triplets"],
        num_items=statistics["items"],
        num_entities=statistics["items"] + statistics["entities"],
        num_relations=statistics["relations"],
        checksums=manifest["outputs"],
        licence=manifest.get("licence", UNSTATED),
        folder=folder,
        **files.read_arrays(
            os.path.join(folder, "interactions.npz"),
            ("offsets", "items", "valid", "test", *(["cold"] if "cold items" in statistics else [])),
        ),
    )
    sizes = {
        "item": dataset.num_items,
        "user": dataset.num_users,
        "entity": dataset.num_entities,
        "relation": dataset.num_relations,
    }
    tables = {what: dataset.table_ids(what) for what in sizes}
    ids = {what: dataset.raw_ids(what) for what in ("item", "user")}
    fits = (
        dataset.num_users == statistics["users"] == len(dataset.offsets) - 1
        and len(dataset.triplets) == statistics["triplets"]
        and max(dataset.items.max(initial=0), dataset.cold.max(initial=0)) < dataset.num_items
        and all(len(tables[what]) == size for what, size in sizes.items())
        and all(tables[what] == ids[what] and len(set(ids[what])) == sizes[what] for what in ids)
    )
    if not fits:
        raise ValueError
    return dataset
