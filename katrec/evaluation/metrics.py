"""Hit@K, NDCG@K and MAP of one target a user (Section 4.2.1)."""

import numpy as np

CUTOFFS = (1, 5, 10)


def metrics(ranks):
    """Returns the mean metrics of `ranks`.

        Hit@K = mean of [rank ≤ K],   NDCG@K = mean of [rank ≤ K] / log₂(rank + 1),   MAP = mean of 1 / rank

    Args:
      ranks: int[n], n ≥ 1, the target's place among the candidates; the best is 1.

    Returns:
      A dict: Hit@1, Hit@5, Hit@10, NDCG@1, NDCG@5, NDCG@10, MAP.

    Raises:
      ValueError: no ranks, or a rank below 1.
    """
    ranks = np.asarray(ranks)
    if not len(ranks) or ranks.min() < 1:
        raise ValueError("metrics need at least one rank, and ranks begin at 1")
    gains = 1 / np.log2(ranks + 1.0)
    values = {f"Hit@{k}": (ranks <= k).mean() for k in CUTOFFS}
    values.update({f"NDCG@{k}": np.where(ranks <= k, gains, 0).mean() for k in CUTOFFS})
    values["MAP"] = (1 / ranks).mean()
    return {name: float(value) for name, value in values.items()}
