"""The k-core: the largest part of the interactions in which users and items have at least k of them."""

from __future__ import annotations

import numpy as np


def core_rows(users: np.ndarray, items: np.ndarray, k: int) -> np.ndarray:
    """Returns which rows are in the k-core, bool[n].

    Args:
      users: int[n], codes from 0.
      items: int[n], codes from 0.
      k: each kept user and item has at least so many rows.
    """
    kept = np.arange(len(users))
    while True:
        before = len(kept)
        for codes in (users, items):
            chosen = codes[kept]
            kept = kept[(np.bincount(chosen) >= k)[chosen]] if len(kept) else kept
        if len(kept) == before:
            mask = np.zeros(len(users), bool)
            mask[kept] = True
            return mask
