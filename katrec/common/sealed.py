"""JSON that carries a checksum of itself, so that a damaged or edited file is found out.

The checksum is the first 16 digits of the SHA-256 of the value's JSON, keys sorted, without spaces, without the
checksum and without "seconds": what two runs of the same settings measured has the same checksum.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from katrec.common import files
from katrec.common.command_line import UserError

CHECKSUM = "checksum"
NOT_COVERED = (CHECKSUM, "seconds")


def checksum(value: Mapping[str, Any]) -> str:
    """Returns the checksum of a JSON object, 16 hexadecimal digits."""
    content = {name: one for name, one in value.items() if name not in NOT_COVERED}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def seal(value: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a JSON object with its checksum as the last entry."""
    # As JSON gives it back: a tuple is a list there, a number as a key a text.
    value = json.loads(json.dumps(value))
    return {**value, CHECKSUM: checksum(value)}


def write(path: files.Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON object with its checksum."""
    files.write_json(path, seal(value))


def read(path: files.Path) -> dict[str, Any]:
    """Returns the JSON object in `path` without its checksum; one that was written without any is not checked.

    Raises:
      UserError: the file is missing, is no JSON object, or its checksum is another.
    """
    return opened(files.read_object(path), path)


def opened(value: dict[str, Any], place: Any) -> dict[str, Any]:
    """Returns a sealed object without its checksum.

    Args:
      value: what was read.
      place: what the message calls it.

    Raises:
      UserError: its checksum is another.
    """
    if CHECKSUM in value and value[CHECKSUM] != checksum(value):
        raise UserError(
            f"{place}: damaged, or changed by hand: its checksum is not that of its content; put the original back"
        )
    return {name: one for name, one in value.items() if name != CHECKSUM}
