"""All that is said of a split's ranks and recommended lists: for all users, and for groups of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from katrec.data.dataset import Dataset
from katrec.evaluation.groups import by_length, by_novelty, by_popularity
from katrec.evaluation.lists import list_metrics
from katrec.evaluation.metrics import metrics
from katrec.evaluation.ranking import Evaluator

LISTS, AMONG_COLD = "lists", "among_cold"


class Summary:
    """The metrics of one split.

    Args:
      evaluator: of the split.
      dataset: what it evaluates on.
      cutoffs: the K of all metrics, ascending.

    Attributes:
      ranks: {"sampled": int[n], "full": int[n]}, as `Evaluator.ranks`; of a data set with cold items "among_cold" too,
        as `Evaluator.cold_ranks`.
    """

    def __init__(self, evaluator: Evaluator, dataset: Dataset, cutoffs: Sequence[int]) -> None:
        self.ranks, self._lists = evaluator.ranks_and_lists(cutoffs[-1])
        self._cutoffs = cutoffs
        self._counts, self._num_users = dataset.popularity(), dataset.num_users
        targets, (offsets, _) = getattr(dataset, evaluator.split), dataset.histories(evaluator.split)
        self._groups = {
            "popularity": by_popularity(targets[evaluator.users], self._counts),
            "length": by_length(np.diff(offsets)[evaluator.users]),
        }
        if len(dataset.cold):
            self.ranks[AMONG_COLD] = evaluator.cold_ranks()
            self._groups["target"] = by_novelty(evaluator.cold_targets())

    def all_users(self) -> dict[str, dict[str, float]]:
        """Returns {"sampled": metrics, "full": metrics, "lists": metrics} of all users."""
        return self._of(slice(None))

    def by_group(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Returns {"popularity": {group: {"users": how many, "sampled": …, "full": …, "lists": …}}, "length": …}.

        Of a data set with cold items also {"target": {"cold": …, "warm": …}}, by the test item; "cold" has
        "among_cold".
        """
        return {
            kind: {name: {"users": int(inside.sum()), **self._of(inside)} for name, inside in groups.items()}
            for kind, groups in self._groups.items()
        }

    def _of(self, inside):
        found = {
            protocol: metrics(ranks[inside], self._cutoffs)
            for protocol, ranks in self.ranks.items()
            # Among the cold items only a cold target has a rank.
            if protocol != AMONG_COLD or ranks[inside].all()
        }
        found[LISTS] = {
            name: value
            for cutoff in self._cutoffs
            for name, value in list_metrics(self._lists[inside], self._counts, self._num_users, cutoff).items()
        }
        return found
