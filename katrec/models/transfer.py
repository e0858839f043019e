"""Weights of an earlier model for one of another data set, matched by raw id."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from katrec.common.command_line import UserError
from katrec.data import item_edges
from katrec.data.dataset import Dataset
from katrec.models.base import RankingModel


def transfer(old: RankingModel, old_dataset: Dataset, new: RankingModel, new_dataset: Dataset) -> dict[str, int]:
    """Gives a model the weights of an earlier one; what that did not know begins as `start_new_rows` says.

    Args:
      old: the earlier model.
      old_dataset: its data set.
      new: a model of the same settings, changed.
      new_dataset: its data set.

    Returns:
      {what: how many of it are new}, as in `RankingModel.keyed_variables`.

    Raises:
      UserError: the two are of other shapes.
    """
    parts = [[_kind(one) for one in model.trainable_variables] for model in (old, new)]
    if type(old) is not type(new) or parts[0] != parts[1]:
        raise UserError("the earlier model has other parts; the settings of the model must be the same")
    keyed = {id(variable): (axis, what) for variable, axis, what in new.keyed_variables()}
    kinds = {what for _, what in keyed.values()}
    keys = {what: (_keys(what, old, old_dataset), _keys(what, new, new_dataset)) for what in kinds}
    places = {what: _places(*pair) for what, pair in keys.items()}
    for before, after in zip(old.trainable_variables, new.trainable_variables):
        axis, what = keyed.get(id(after), (-1, ""))
        if _size_without(before, axis) != _size_without(after, axis):
            raise UserError(
                f"the earlier model's {before.name} is of size {tuple(before.shape)}, not {tuple(after.shape)}; the "
                "settings of the model must be the same"
            )
        if what:
            found = np.flatnonzero(places[what] >= 0)
            value = np.moveaxis(after.numpy(), axis, 0)
            value[found] = np.moveaxis(before.numpy(), axis, 0)[places[what][found]]
            after.assign(np.moveaxis(value, 0, axis))
        else:
            after.assign(before)
    is_new = {what: place < 0 for what, place in places.items()}
    new.start_new_rows(is_new)
    return {what: int(new_ones.sum()) for what, new_ones in is_new.items()}


def _kind(variable):
    return variable.name.split("/")[-1], len(variable.shape)


def _size_without(variable, axis):
    """Returns a variable's sizes but for the axis whose places are matched."""
    return [size for number, size in enumerate(variable.shape) if number != axis]


def _places(old_keys, new_keys):
    """Returns where each new key stands among the old ones, −1 where it does not."""
    numbers: dict[Any, int] = {}
    for keys in old_keys:
        for number, key in enumerate(keys):
            numbers.setdefault(key, number)
    choices = zip(*new_keys)
    return np.array([next((numbers[key] for key in keys if key in numbers), -1) for keys in choices], np.int64)


def _keys(what: str, model: Any, dataset: Dataset) -> list[list[Hashable]]:
    """Returns what names each place, the first name first: an item is also its entity, which may have been no item."""
    if what in ("item", "user"):
        return [list(dataset.raw_ids(what))]
    entities = dataset.raw_ids("entity")
    attributes: list[Hashable] = [("entity", entity) for entity in entities[dataset.num_items :]]
    if what == "attribute":
        return [attributes]
    if what == "node":
        items: list[Hashable] = [("item", item) for item in dataset.raw_ids("item")]
        users: list[Hashable] = [("user", user) for user in dataset.raw_ids("user")]
        # Without an entity of its own an item has but one name.
        linked = [("entity", entity) if entity else item for entity, item in zip(entities, items)]
        return [[*items, *attributes, *users], [*linked, *attributes, *users]]
    return [_relation_names(dataset) if what == "relation" else edge_names(model, dataset)]


def edge_names(model: Any, dataset: Dataset) -> list[Hashable]:
    """Returns what names each relation of the edges of a model with `neighbours`."""
    neighbours = model.neighbours
    named = item_edges.names(
        model.graph, dataset, _relation_names(dataset), neighbours.transition_reach, model.similar_items
    )
    # The last transitions may be missing.
    return named[: neighbours.num_relations]


def _relation_names(dataset):
    directed = [(direction, one) for direction in ("forward", "backward") for one in dataset.raw_ids("relation")]
    return [*directed, ("forward", None), ("backward", None)]
