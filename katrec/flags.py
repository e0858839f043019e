"""`Settings` as absl flags: one flag a field."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Optional

from absl import flags

from katrec.common.command_line import FlagError, UserError
from katrec.models import registry
from katrec.settings import FIELDS, Settings


def define(flag_values: flags.FlagValues) -> None:
    """Defines a flag for each of the settings.

    Args:
      flag_values: the command's flags.
    """
    for field in FIELDS.values():
        _define(field, flag_values)


def _define(field: dataclasses.Field, flag_values: flags.FlagValues) -> None:
    meta = field.metadata
    kind = meta["default"]
    # None where it depends on the model.
    default: Any = field.default
    choices = list(registry.MODELS) if field.name == "model" else meta["choices"]
    common: dict[str, Any] = {
        "name": field.name,
        "help": meta["help"] + _own_defaults(meta),
        "flag_values": flag_values,
    }
    if isinstance(kind, tuple):
        flags.DEFINE_list(default=[str(one) for one in default], **common)
    elif isinstance(kind, bool):
        flags.DEFINE_boolean(default=default, **common)
    elif isinstance(kind, int):
        flags.DEFINE_integer(default=default, lower_bound=meta["low"], upper_bound=meta["high"], **common)
    elif isinstance(kind, float):
        flags.DEFINE_float(default=default, lower_bound=meta["low"], upper_bound=meta["high"], **common)
    elif choices is None:
        flags.DEFINE_string(default=default, **common)
    else:
        flags.DEFINE_enum(default=default, enum_values=choices, **common)


def _own_defaults(meta):
    """Says what a flag's default is where it depends on the model: absl shows none there."""
    if not meta["by_model"]:
        return ""
    others = "".join(f"; {value} for {model}" for model, value in meta["by_model"].items())
    return f" Default: {meta['default']}{others}."


def integers(name: str, texts: Sequence[str], low: Optional[int] = None) -> list[int]:
    """Returns the numbers of a flag that is a list.

    Args:
      name: the flag.
      texts: what it was given.
      low: the least that is allowed.

    Raises:
      FlagError: they are no integers, or one is too low.
    """
    try:
        numbers = [int(text) for text in texts]
    except ValueError:
        raise FlagError(f"--{name}={','.join(texts)}: integers separated by commas") from None
    if low is not None and min(numbers, default=low) < low:
        raise FlagError(f"--{name}={','.join(texts)}: must be at least {low}")
    return numbers


def read(flag_values: flags.FlagValues) -> Settings:
    """Returns the settings that the parsed flags hold.

    Raises:
      FlagError: a value, or a combination of values, makes no model.
    """
    values: dict[str, Any] = {name: flag_values[name].value for name in FIELDS}
    for name, field in FIELDS.items():
        if isinstance(field.default, tuple):
            values[name] = integers(name, values[name])
    try:
        settings = Settings(**values)
        registry.check(settings)
        return settings
    except UserError as error:
        raise FlagError(f"--{error}") from None
