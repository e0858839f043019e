"""The names of what is ranked, among what, and by which metrics."""

from __future__ import annotations

from collections.abc import Iterable


def metric_names(cutoffs: Iterable[int]) -> tuple[str, ...]:
    """Returns the names of the metrics of ranks for the given K."""
    return (*(f"Hit@{k}" for k in cutoffs), *(f"NDCG@{k}" for k in cutoffs), "MAP")


# Whose held-out items are ranked, and among what: sampled negatives, or all items.
SPLITS, PROTOCOLS = ("valid", "test"), ("sampled", "full")
CUTOFFS = (1, 5, 10)
METRICS = metric_names(CUTOFFS)
# The metric of every ranking, for example "full/NDCG@10".
RANKINGS = tuple(f"{protocol}/{metric}" for protocol in PROTOCOLS for metric in METRICS)
