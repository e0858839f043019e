"""Raw ids as text, the same wherever they come from."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable
from typing import Any, Optional

import numpy as np

# What ends a field or a line somewhere on an id's way: a table, a terminal, a file of histories.
BREAKS = "\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_FIELD = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*))(?:,|$)')


def as_text(value: Any) -> Optional[str]:
    """Returns an id as text: 3, 3.0, "3" and b"3" are one id; None for a missing value."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is None or (isinstance(value, numbers.Real) and not math.isfinite(value)):
        return None
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and float(value).is_integer():
        return str(math.floor(value))
    text = str(value)
    return None if text in ("<NA>", "NaT") else text


def fault(text: str, breaks: bool = False) -> Optional[str]:
    """Returns what keeps a text from being an id, or None.

    Args:
      text: the id.
      breaks: whether tabs and line ends are allowed, as in the literals of a graph.
    """
    if not text:
        return "is empty"
    if not breaks and any(character in text for character in BREAKS):
        return f"{text!r} holds a tab or a line end; replace it"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return f"{text!r} cannot be written as UTF-8; replace what is half a character"
    return None


def split(text: str) -> list[str]:
    """Returns the ids of a comma-separated list; spaces around them are not theirs.

    An id with a comma, a quote or spaces at its ends stands in double quotes, as in CSV: `a,"b,c"` is a and b,c.
    """
    found = []
    for field in _FIELD.finditer(text):
        quoted, plain = field.groups()
        found.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
    return [one for one in found if one]


def pack(ids: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns ids as UTF-8, uint8[…] one after the other, and where each begins, int64[n + 1]."""
    encoded = [text.encode("utf-8") for text in ids]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


def unpack(packed: np.ndarray, offsets: np.ndarray) -> list[str]:
    """Returns the ids of which `pack` made the arrays.

    Raises:
      ValueError: it made others.
    """
    content = packed.tobytes()
    if offsets[0] != 0 or offsets[-1] != len(content) or (np.diff(offsets) < 0).any():
        raise ValueError("the offsets do not fit the bytes")
    return [content[start:end].decode("utf-8") for start, end in zip(offsets[:-1], offsets[1:])]


def alike(text: str) -> str:
    """Returns what an id looks like without quotes and spaces around it, and without ".0": equal for 3, 3.0 and '3'."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text.strip().strip("\"'").strip()).casefold()


def escape(text: str) -> str:
    """Returns a text without tabs and line ends, of which `unescape` makes it again."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def unescape(text: str) -> str:
    """Returns the text of which `escape` made `text`."""
    return re.sub(r"\\(\\|u[0-9a-f]{4})", lambda found: _unescaped(found.group(1)), text)


def _unescaped(code):
    return "\\" if code == "\\" else chr(int(code[1:], 16))


_ESCAPES = {"\\": "\\\\", **{character: f"\\u{ord(character):04x}" for character in BREAKS}}
