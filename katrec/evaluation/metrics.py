"""Hit@K, NDCG@K and MAP of one target a user (Section 4.2.1)."""

import numpy as np

CUTOFFS = (1, 5, 10)
NAMES = (*(f"Hit@{k}" for k in CUTOFFS), *(f"NDCG@{k}" for k in CUTOFFS), "MAP")


def metrics(ranks):
    """Returns the mean metrics of `ranks`: a dict of Hit@1, Hit@5, Hit@10, NDCG@1, NDCG@5, NDCG@10, MAP.

    Args:
      ranks: int[n], n ≥ 1, the target's place among the candidates; the best is 1.

    Raises:
      ValueError: no ranks, or a rank below 1.
    """
    ranks = np.asarray(ranks)
    if not len(ranks) or ranks.min() < 1:
        raise ValueError("metrics need at least one rank, and ranks begin at 1")
    return {name: float(per_user(ranks, name).mean()) for name in NAMES}


def per_user(ranks, name):
    """Returns a metric of each rank, float[n].

        Hit@K: [rank ≤ K],   NDCG@K: [rank ≤ K] / log₂(rank + 1),   MAP: 1 / rank

    Args:
      ranks: int[n].
      name: one of `NAMES`.
    """
    if name == "MAP":
        return 1 / ranks
    kind, cutoff = name.split("@")
    gains = np.ones(len(ranks)) if kind == "Hit" else 1 / np.log2(ranks + 1.0)
    return np.where(ranks <= int(cutoff), gains, 0)
