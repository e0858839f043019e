"""A data set with items that came later: nobody has interacted with them, triplets say what they are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from katrec.common import files
from katrec.common.command_line import UserError
from katrec.data.cold_items import hold_out
from katrec.data.dataset import Dataset

NAMED = 5
FILE = "additions.json"


class NewItems(NamedTuple):
    """What is known of items that came later, in raw ids.

    Attributes:
      triplets: (head, relation, tail) each; an end is an entity.
      links: {item: its entity}, all the new items.
    """

    triplets: Sequence[tuple[str, str, str]]
    links: Mapping[str, str]


def write(folder: str, additions: Sequence[NewItems]) -> None:
    """Writes what was added to a data set, in its order, into a folder."""
    files.write_json(os.path.join(folder, FILE), [one._asdict() for one in additions])


def read(folder: str) -> list[NewItems]:
    """Returns what `write` wrote into a folder; an empty list where there is nothing."""
    path = os.path.join(folder, FILE)
    if not os.path.exists(path):
        return []
    return [NewItems([tuple(one) for one in each["triplets"]], each["links"]) for each in files.read_json(path)]


class Grown(NamedTuple):
    """A data set with the new items that could be added.

    Attributes:
      dataset: the new items have the numbers after the others'; they are cold.
      added: their raw ids.
      notes: lines that say what was left out.
    """

    dataset: Dataset
    added: list[str]
    notes: list[str]


def grow(dataset: Dataset, new: NewItems) -> Grown:
    """Adds new items and their triplets.

    An item is left out, and named, where none of its triplets leads to an entity or item that the data set has, nor is
    its entity in the graph: there is nothing to know it by. An entity of the graph that turns out to be a new item
    becomes that item; one that is an item already gives the new one a copy of its triplets. Triplets that
    say nothing of a new item, whose relation the data set does not have, or whose other end it does not have are left
    out and counted.

    Args:
      dataset: what is known.
      new: what comes.

    Raises:
      UserError: an item is known already, or none can be added.
    """
    items, entities, relations = (dataset.raw_ids(what) for what in ("item", "entity", "relation"))
    known_items = set(items)
    twice = [item for item in new.links if item in known_items]
    if twice:
        raise UserError(f"{_listed(twice)}: known already; give new items only")
    links, counts = dict(new.links), dict.fromkeys(("other", "relation", "end"), 0)
    numbers = {relation: number for number, relation in enumerate(relations)}
    of_new: dict[str, list[str]] = {}
    for item, entity in links.items():
        of_new.setdefault(entity, []).append(item)
    # An item without a link has no entity in the graph.
    known = {entity for entity in entities if entity}
    named = known | of_new.keys()
    kept = []
    for head, relation, tail in dict.fromkeys(new.triplets):
        if head not in of_new and tail not in of_new:
            counts["other"] += 1
        elif relation not in numbers:
            counts["relation"] += 1
        elif not {head, tail} <= named:
            counts["end"] += 1
        else:
            kept.append((head, relation, tail))
    described = {entity for head, _, tail in kept for entity, other in ((head, tail), (tail, head)) if other in known}
    described |= known
    left_out = [item for item, entity in links.items() if entity not in described]
    notes = [f"{_listed(left_out)}: left out, no triplet joins it to a known entity"] if left_out else []
    notes += [
        f"triplets left out: {counts[name]:,}, {why}"
        for name, why in (
            ("other", "neither end is a new item"),
            ("relation", "the relation is not known to the model"),
            ("end", "the other end is not known to the model"),
        )
        if counts[name]
    ]
    added = [item for item, entity in links.items() if entity in described]
    if not added:
        raise UserError(f"no new item can be added: {'; '.join(notes) or 'there is none'}")
    ends = known | {links[item] for item in added}
    triplets = [one for one in kept if {one[0], one[2]} <= ends]
    return Grown(_with(dataset, added, links, triplets, numbers, items, entities), added, notes)


def known_to(dataset: Dataset, metadata: Mapping[str, Any], additions: Sequence[NewItems]) -> Dataset:
    """Returns the data set that an export knows: as its model was trained on it, and what was added since.

    Args:
      dataset: as it was prepared.
      metadata: the export's.
      additions: what was added, in its order.
    """
    flags = metadata.get("flags", {})
    dataset = hold_out(dataset, flags.get("cold_item_share", 0.0), flags.get("cold_seed", 0))
    for addition in additions:
        dataset = grow(dataset, addition).dataset
    return dataset


def _with(dataset, added, links, triplets, relations, items, entities):
    """Returns the data set with the items and triplets, its entities numbered anew."""
    num_items = len(items) + len(added)
    becoming = {links[item] for item in added}
    others = [entity for entity in entities[len(items) :] if entity not in becoming]
    named = [*entities[: len(items)], *(links[item] for item in added), *others]
    nodes: dict[str, list[int]] = {}
    for number, entity in enumerate(named):
        nodes.setdefault(entity, []).append(number)
    # Of an entity that is several items each has its triplets; one that was no item has become one or several.
    come_with: dict[str, list[int]] = {}
    for number, item in enumerate(added, start=len(items)):
        come_with.setdefault(links[item], []).append(number)
    numbers = [[number, *come_with.get(entity, [])] for number, entity in enumerate(entities[: len(items)])]
    numbers += [nodes[entity] for entity in entities[len(items) :]]
    several = np.array([len(one) > 1 for one in numbers])
    first = np.array([one[0] for one in numbers])
    heads, names, tails = dataset.triplets.T
    once = ~(several[heads] | several[tails])
    renumbered = np.stack([first[heads], names, first[tails]], axis=1)[once]
    old = [
        (head, relation, tail)
        for before, relation, after in dataset.triplets[~once].tolist()
        for head in numbers[before]
        for tail in numbers[after]
    ]
    come = [
        (head, relations[relation], tail)
        for before, relation, after in triplets
        for head in nodes[before]
        for tail in nodes[after]
    ]
    return dataset._replace(
        triplets=np.unique(np.concatenate([renumbered, np.reshape(old + come, (-1, 3))]).astype(np.int32), axis=0),
        num_items=num_items,
        num_entities=len(named),
        cold=np.append(dataset.cold, np.arange(len(items), num_items)).astype(np.int32),
        names={
            "item": [*items, *added],
            "user": dataset.raw_ids("user"),
            "entity": named,
            "relation": dataset.raw_ids("relation"),
        },
    )


def _listed(items):
    """Returns the first of some items as text, and how many more there are."""
    more = f" and {len(items) - NAMED:,} more" if len(items) > NAMED else ""
    return f"{'item' if len(items) == 1 else 'items'} {', '.join(map(repr, items[:NAMED]))}{more}"
