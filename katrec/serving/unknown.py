"""Ids of histories that a model does not know: counted and told, since they are passed over."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Optional

import numpy as np

from katrec.common.ids import as_text

# Stands for a missing id: no id holds a line end.
MISSING = "\n"


def as_id(value: Any) -> str:
    """Returns an id as text; a missing one as a text that no model knows."""
    text = as_text(value)
    return MISSING if text is None else text


class UnknownIds:
    """Counts the unknown ids of many histories.

    Args:
      is_known: function from an id to whether the model knows it; called until it finds an example.
    """

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self._is_known = is_known
        self.ids = self.unknown = self.histories = self.without_known = 0
        self.example: Optional[str] = None

    def add(self, histories: Sequence[Sequence[str]], unknown: np.ndarray) -> None:
        """Counts some histories.

        Args:
          histories: their ids; "" is passed over and counts as none.
          unknown: int[n], how many of each are unknown.
        """
        counts = np.array([sum(item != "" for item in history) for history in histories], int)
        self.ids += int(counts.sum())
        self.unknown += int(unknown.sum())
        self.histories += len(histories)
        self.without_known += int(((counts > 0) & (unknown == counts)).sum())
        if self.example is None and unknown.any():
            history = histories[int(np.argmax(unknown > 0))]
            self.example = next((item for item in history if item and not self._is_known(item)), None)

    def warn(self, stacklevel: int) -> None:
        """Warns (UserWarning) if there were any; `stacklevel` as in `warnings.warn`, from the caller's view."""
        if not self.unknown:
            return
        text = f"{self.unknown:,} of {self.ids:,} item ids are not known to the model and were passed over"
        if self.example is not None:
            text += f", for example {'a missing one' if self.example == MISSING else repr(self.example)}"
        if self.without_known:
            text += (
                f"; {self.without_known:,} of {self.histories:,} histories have no known id and got the popularity "
                "ranking"
            )
        warnings.warn(text, UserWarning, stacklevel=stacklevel + 1)
