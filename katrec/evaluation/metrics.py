"""Hit@K, NDCG@K and MAP of one target a user (Section 4.2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Union

import numpy as np

from katrec.common.rankings import CUTOFFS, metric_names

Ranks = Union[np.ndarray, Sequence[int]]


def metrics(ranks: Ranks, cutoffs: Iterable[int] = CUTOFFS) -> dict[str, float]:
    """Returns the mean metrics of `ranks`: a dict of Hit@1, Hit@5, Hit@10, NDCG@1, NDCG@5, NDCG@10, MAP.

    Args:
      ranks: int[n], n ≥ 1, the target's place among the candidates; the best is 1.
      cutoffs: other K than these.

    Raises:
      ValueError: no ranks, or a rank below 1.
    """
    ranks = np.asarray(ranks)
    if not len(ranks) or ranks.min() < 1:
        raise ValueError("metrics need at least one rank, and ranks begin at 1")
    return {name: float(per_user(ranks, name).mean()) for name in metric_names(cutoffs)}


def per_user(ranks: np.ndarray, name: str) -> np.ndarray:
    """Returns a metric of each rank, float[n].

        Hit@K: [rank ≤ K],   NDCG@K: [rank ≤ K] / log₂(rank + 1),   MAP: 1 / rank

    Args:
      ranks: int[n].
      name: such as "Hit@20", "NDCG@10" or "MAP".
    """
    if name == "MAP":
        return 1 / ranks
    gain, cutoff = name.split("@")
    gains = np.ones(len(ranks)) if gain == "Hit" else 1 / np.log2(ranks + 1.0)
    return np.where(ranks <= int(cutoff), gains, 0)


def metric_lines(splits: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Returns a line for a terminal for each split and protocol.

    Args:
      splits: {"test": {"sampled": {"Hit@1": …, …}, "full": {…}}, …} as in result.json.
    """
    return "\n".join(
        f"{split:5} {protocol:7} " + "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        for split, protocols in splits.items()
        for protocol, values in protocols.items()
    )
