"""All that is said of a split's ranks and recommended lists: for all users, and for groups of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from katrec.data.dataset import Dataset
from katrec.evaluation.groups import by_length, by_popularity
from katrec.evaluation.lists import list_metrics
from katrec.evaluation.metrics import metrics

LISTS = "lists"


class Summary:
    """The metrics of one split.

    Args:
      dataset: the data set.
      split: "valid" or "test".
      users: int[n], whose items are ranked.
      ranks: {"sampled": int[n], "full": int[n]}.
      lists: int[n, k], what is recommended to them.
      cutoffs: the K of all metrics, none above k.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        users: np.ndarray,
        ranks: Mapping[str, np.ndarray],
        lists: np.ndarray,
        cutoffs: Iterable[int],
    ) -> None:
        self._ranks, self._lists, self._cutoffs = ranks, lists, tuple(cutoffs)
        self._counts, self._num_users = dataset.popularity(), dataset.num_users
        self._groups = {
            "popularity": by_popularity(getattr(dataset, split)[users], self._counts),
            "length": by_length(np.diff(dataset.histories(split)[0])[users]),
        }

    def all_users(self) -> dict[str, dict[str, float]]:
        """Returns {"sampled": metrics, "full": metrics, "lists": metrics} of all users."""
        return self._of(slice(None))

    def by_group(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Returns {"popularity": {group: {"users": how many, "sampled": …, "full": …, "lists": …}}, "length": …}."""
        return {
            kind: {name: {"users": int(inside.sum()), **self._of(inside)} for name, inside in groups.items()}
            for kind, groups in self._groups.items()
        }

    def _of(self, inside):
        found = {protocol: metrics(ranks[inside], self._cutoffs) for protocol, ranks in self._ranks.items()}
        found[LISTS] = {
            name: value
            for cutoff in self._cutoffs
            for name, value in list_metrics(self._lists[inside], self._counts, self._num_users, cutoff).items()
        }
        return found
