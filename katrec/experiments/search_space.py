"""A data set's search.json: which settings are tried, as lists or as ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from katrec.common import files
from katrec.common.command_line import UserError
from katrec.models import registry
from katrec.settings import FIELDS

ALL = "all"


def read_space(path: str, models: Sequence[str]) -> dict[str, Any]:
    """Returns the content of a search.json.

    Args:
      path: the file.
      models: the models that are to be tuned; none for all that it lists.

    Raises:
      UserError: a model of `models` is missing, or has another number of trials.
    """
    space = _read(path)
    chosen = models or [name for name in registry.MODELS if name in space]
    counts = {model: len(space.get(model, {}).get("trials", [])) for model in chosen}
    if not counts or 0 in counts.values() or len(set(counts.values())) > 1:
        raise UserError(
            f"{path}: every model needs the same number of trials, there are "
            + (", ".join(f"{count} of {model}" for model, count in counts.items()) or "none")
        )
    return {ALL: space.get(ALL, {}), **{model: space[model] for model in chosen}}


def read_ranges(path: str, models: Sequence[str]) -> dict[str, Any]:
    """Returns the content of a search.json whose models' settings are to be sampled.

    Args:
      path: the file.
      models: the models that are to be tuned; none for all that have ranges.

    Raises:
      UserError: a model of `models` has none, or a range is none.
    """
    space = _read(path)
    chosen = models or [name for name in registry.MODELS if space.get(name, {}).get("ranges")]
    missing = [model for model in chosen if not space.get(model, {}).get("ranges")]
    if missing or not chosen:
        raise UserError(
            f"{path}: {', '.join(missing) or 'no model'} has no ranges to sample from; give for example "
            '"ranges": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": true}, "num_layers": {"low": 1, "high": 3}}'
        )
    for model in chosen:
        for name, one in space[model]["ranges"].items():
            _check_range(f"{path}: {model}: {name}", name, one)
    return {ALL: space.get(ALL, {}), **{model: space[model] for model in chosen}}


def _check_range(place, name, one):
    """Checks that a range is of a setting, and has choices, or two ends in their order."""
    if name not in FIELDS:
        raise UserError(f"{place}: there is no such setting, see python -m katrec.train --help")
    keys = set(one) if isinstance(one, dict) else set()
    if keys == {"choices"} and isinstance(one["choices"], list) and one["choices"]:
        return
    ends = [one.get(end) for end in ("low", "high")] if keys in ({"low", "high"}, {"low", "high", "log"}) else [None]
    numbers = all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends)
    if not numbers or ends[0] >= ends[1] or (one.get("log") and ends[0] <= 0):
        raise UserError(
            f'{place}: must be {{"low": number, "high": larger number}}, with "log": true where both are above 0 and '
            'the logarithm is to be even, or {"choices": [value, …]}'
        )


def _read(path):
    space = files.read_object(path)
    _check_space(path, space)
    return space


def _check_space(path, space):
    """Checks that a search.json has the shape that `katrec.search` describes."""
    for name, one in space.items():
        parts = [one] if name == ALL else [one.get("flags", {}), *one.get("trials", [])] if _is_model(one) else [None]
        if not all(isinstance(part, dict) for part in parts):
            raise UserError(
                f'{path}: {name!r} must hold {{"flags": {{…}}, "trials": [{{flag: value, …}}, …], "ranges": {{…}}}}, '
                f"and {ALL!r} flags"
            )


def _is_model(one):
    return isinstance(one, dict) and isinstance(one.get("trials", []), list) and isinstance(one.get("ranges", {}), dict)
