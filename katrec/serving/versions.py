"""Numbered exports of one model side by side, NAME/1, NAME/2, …: what TensorFlow Serving watches."""

from __future__ import annotations

import os


def newest(path: str) -> str:
    """Returns the folder of the highest number in `path`; `path` itself where there is none, or it is an export."""
    found = _numbers(path)
    if not found or os.path.exists(os.path.join(path, "saved_model.pb")):
        return path
    return os.path.join(path, str(max(found)))


def following(path: str) -> str:
    """Returns the folder in `path` whose number is the next, 1 where there is none."""
    return os.path.join(path, str(max(_numbers(path), default=0) + 1))


def _numbers(path):
    if not os.path.isdir(path):
        return []
    return [int(name) for name in os.listdir(path) if name.isdecimal() and os.path.isdir(os.path.join(path, name))]
