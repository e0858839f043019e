"""What recommended lists are like beside right: how much of the catalogue they show, how popular, how even."""

from __future__ import annotations

import numpy as np

LIST_METRICS = ("Coverage", "Novelty", "Popularity", "Gini")


def list_metrics(lists: np.ndarray, counts: np.ndarray, num_users: int, cutoff: int) -> dict[str, float]:
    """Returns Coverage@K, Novelty@K, Popularity@K and Gini@K of the first K = `cutoff` items of each list L_u.

        Coverage = |∪_u L_u| / |I|
        Novelty = mean over all places of −log₂(max(n_i, 1) / |U|)  (self-information in bits; Zhou et al. 2010)
        Popularity = mean over all places of n_i  (average recommendation popularity)
        Gini = Σ_j (2j − |I| − 1) x_j / (|I| Σ_j x_j)

    n_i is the number of i's training interactions, x the numbers of times that each item is recommended, ascending,
    j = 1 … |I|. Gini is 0 where all items are recommended equally often and (|I| − 1) / |I| where it is always one.

    Args:
      lists: int[n, ≥ K], n ≥ 1, the recommended items, best first; −1 after the last of a shorter list.
      counts: n_i, int[|I|].
      num_users: |U| of the training.
      cutoff: K.

    Raises:
      ValueError: nothing is recommended, or the lists are shorter than K.
    """
    if lists.shape[1] < cutoff:
        raise ValueError(f"the lists have {lists.shape[1]} places, fewer than {cutoff}")
    items = lists[:, :cutoff]
    items = items[items >= 0]
    if not len(items):
        raise ValueError("there is no recommended item")
    exposure = np.sort(np.bincount(items, minlength=len(counts)))
    places = 2.0 * np.arange(1, len(counts) + 1) - len(counts) - 1
    values = {
        "Coverage": np.count_nonzero(exposure) / len(counts),
        "Novelty": -np.log2(np.maximum(counts[items], 1) / num_users).mean(),
        "Popularity": counts[items].mean(),
        "Gini": (places * exposure).sum() / (len(counts) * exposure.sum()),
    }
    return {f"{name}@{cutoff}": float(values[name]) for name in LIST_METRICS}
