"""The names of what is ranked, among what, and by which metrics."""

from __future__ import annotations

# Whose held-out items are ranked, and among what: sampled negatives, or all items.
SPLITS, PROTOCOLS = ("valid", "test"), ("sampled", "full")
CUTOFFS = (1, 5, 10)
METRICS = (*(f"Hit@{k}" for k in CUTOFFS), *(f"NDCG@{k}" for k in CUTOFFS), "MAP")
# The metric of every ranking, for example "full/NDCG@10".
RANKINGS = tuple(f"{protocol}/{metric}" for protocol in PROTOCOLS for metric in METRICS)
