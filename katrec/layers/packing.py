"""Edges in a layer's configuration, which is JSON: a graph may have millions."""

from __future__ import annotations

import base64
import zlib

import numpy as np


def packed(numbers: np.ndarray) -> str:
    """Returns int32[n] as compressed text."""
    return base64.b64encode(zlib.compress(numbers.astype("<i4").tobytes())).decode("ascii")


def unpacked(text: str) -> np.ndarray:
    """Returns the int32[n] that `packed` made the text of."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i4")
