"""Items that arrive after training, added to an export without training it again."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any, Optional, Protocol, Union

import numpy as np
import pandas as pd
import tensorflow as tf

from katrec.common import files
from katrec.common.command_line import UserError
from katrec.common.id_tables import (
    LINKS,
    TRIPLETS,
    check_items,
    check_links,
    named_items,
    place_in_frame,
    texts,
    wanted,
)
from katrec.data import item_edges
from katrec.data.growth import NewItems, grow
from katrec.layers.neighbour_scores import ItemEdges
from katrec.models.base import ItemTables
from katrec.models.build import build
from katrec.models.transfer import edge_names, transfer
from katrec.serving import integrity, versions
from katrec.serving.extension import Extension, read
from katrec.serving.recommender import Recommender
from katrec.serving.saved_model import write
from katrec.serving.served import Served


class Exportable(Protocol):
    """What can be exported: a `katrec.Run`."""

    def export(self, saved_model: str, max_k: int = 100, extendable: bool = False) -> Any: ...


def add_items(
    model: Union[str, Exportable],
    triplets: pd.DataFrame,
    links: Optional[pd.DataFrame] = None,
    titles: Optional[pd.DataFrame] = None,
    *,
    to: str,
    datasets_dir: str = "datasets",
) -> Recommender:
    """Adds items that nobody has interacted with to a model, and writes an export of it; nothing is trained.

    A new item's e⁽⁰⁾ is fitted to its own triplets with all else fixed (`katrec.models.new_nodes`), attention and
    propagation over the graph with the new triplets give its e*, the item table grows by its row. All that the export
    had is copied: what earlier items score stays as it was, and what their own neighbourhoods say of them, too.

    Args:
      model: folder of an export that is `extendable`, or of its versions; or a `Run`, which is exported first.
      triplets: columns head_id, relation_id, tail_id: what the graph says of the new items.
      links: columns item_id, entity_id: the new items. None where the triplets name items by their own ids: then each
        head that the model does not know is a new item.
      titles: columns item_id, title, or None.
      to: folder to make.
      datasets_dir: as in `Recommender`.

    Returns:
      The new export as a `Recommender`.

    Raises:
      UserError: there is something at `to`, the export cannot be extended, an item is known already, a table is not as
        described, or no item can be added.
    """
    if os.path.exists(to):
        raise UserError(f"{to}: exists; remove it or choose another name")
    with _exported(model) as path:
        return _extend(path, triplets, links, titles, to, datasets_dir)


@contextlib.contextmanager
def _exported(model: Union[str, Exportable]) -> Iterator[str]:
    """Gives the folder of an export; a run's is there for as long as it is needed."""
    if isinstance(model, str):
        yield versions.newest(model)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "export")
        model.export(path, extendable=True)
        yield path


def _extend(path, triplets, links, titles, to, datasets_dir):
    earlier = Recommender.load(path, datasets_dir)
    known = read(path, earlier.metadata)
    new = _new_items(triplets, links, known.dataset)
    grown = grow(known.dataset, new)
    for note in grown.notes:
        warnings.warn(note, UserWarning, stacklevel=3)
    added = set(grown.added)
    new = NewItems(new.triplets, {item: entity for item, entity in new.links.items() if item in added})
    model = build(known.settings, grown.dataset)
    transfer(known.model, known.dataset, model, grown.dataset)
    tables = _joined(earlier.saved, known, model, grown.dataset)
    metadata = {**earlier.metadata, "items": grown.dataset.num_items}
    ids = grown.dataset.raw_ids("item"), grown.dataset.raw_ids("user")
    popularity = grown.dataset.popularity()
    served = Served(model, *ids, popularity, metadata["max_k"], metadata, tables)
    extended = Extension(model, grown.dataset, known.settings, [*known.additions, new])
    names = dict(earlier.titles)
    if titles is not None:
        named = named_items(titles, place_in_frame)
        names.update(zip(named["item_id"], named["title"]))
    with tempfile.TemporaryDirectory() as folder:
        items_file = os.path.join(folder, "items.tsv")
        columns = {"item_id": ids[0], "title": [names.get(item, "") for item in ids[0]]}
        files.write_columns(items_file, columns)
        write(served, to, metadata, items_file, extended.write)
    print(
        f"added {len(grown.added):,} items to the {known.dataset.num_items:,} of {known.dataset.name}: {to}, "
        f"fingerprint {integrity.fingerprint(to)}"
    )
    return Recommender.load(to, datasets_dir)


def _joined(saved, known, model, dataset):
    """Returns the tables of the export with the new items' rows, which the grown model has."""
    own, count = model.inference_tables(), known.dataset.num_items
    edges = None
    if own.edges is not None:
        edges = _joined_edges(saved.item_edges, known, model, dataset, count)
    return ItemTables(
        inputs=tf.concat([saved.inputs[:count], own.inputs[count : dataset.num_items], saved.inputs[count:]], axis=0),
        outputs=tf.concat([saved.items[:, :-2], own.outputs[count:]], axis=0),
        users=None if own.users is None else saved.users[:-1],
        edges=edges,
        bias=tf.concat([saved.items[:, -2], own.bias[count:]], axis=0),
    )


def _joined_edges(earlier, known, model, dataset, count):
    """Returns the export's edges between earlier items, and the grown model's that a new item has part in."""
    new = item_edges.ItemEdges(*(one.numpy() for one in model.edges))
    heads = item_edges.heads_of(new)
    inside = (heads >= count) | (new.tails >= count)
    parts = [[heads[inside], new.relations[inside], new.tails[inside], new.counts[inside]]]
    if earlier:
        old = item_edges.ItemEdges(*(one.numpy() for one in earlier))
        names = edge_names(model, dataset)
        renumbered = np.array([names.index(one) for one in edge_names(known.model, known.dataset)])
        parts.append([item_edges.heads_of(old), renumbered[old.relations], old.tails, old.counts])
    joined = item_edges.in_order([np.concatenate(one) for one in zip(*parts)], dataset.num_items)
    return ItemEdges(*map(tf.constant, joined))


def _new_items(triplets, links, dataset):
    """Returns the tables as `NewItems`."""
    of_graph = texts(wanted(triplets, "triplets", TRIPLETS), "triplets", place_in_frame, breaks=True)
    rows = list(of_graph.itertuples(index=False, name=None))
    if links is not None:
        named = texts(wanted(links, "links", LINKS), "links", place_in_frame)
        check_links(named, lambda row: place_in_frame("links", row))
        return NewItems(rows, dict(zip(named["item_id"], named["entity_id"])))
    known = set(dataset.raw_ids("entity"))
    heads = {head: head for head in of_graph["head_id"] if head not in known}
    check_items(heads, "triplets: head_id")
    return NewItems(rows, heads)
