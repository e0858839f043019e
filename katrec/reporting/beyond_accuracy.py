"""Tables of what the recommended lists are like beside right, and of all metrics by groups of test users."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from katrec.evaluation.lists import LIST_METRICS
from katrec.evaluation.summary import LISTS
from katrec.models import registry
from katrec.reporting.finished import Finished
from katrec.reporting.table import Table

CUTOFF = 10
GROUPED = [("full", f"NDCG@{CUTOFF}"), ("full", f"Hit@{CUTOFF}"), ("full", "MAP")]
GROUPED += [(LISTS, f"{name}@{CUTOFF}") for name in LIST_METRICS]
KINDS = {
    "popularity": "by the test item's popularity, each group of items with a third of the training interactions",
    "length": "by the length of the user's history",
}


def beyond_accuracy(runs: Mapping[str, Sequence[Finished]]) -> list[Table]:
    """Returns a `Table` of the lists' metrics (`katrec.evaluation.lists`), and one for each kind of groups.

    Means over the seeds. Models whose runs are of a version without these metrics are left out.

    Args:
      runs: {model: [`Finished`, one for each seed]}, in the order of the columns.
    """
    runs = {model: of_model for model, of_model in runs.items() if all("test_groups" in run.result for run in of_model)}
    if not runs:
        return []
    results = {model: [run.result for run in of_model] for model, of_model in runs.items()}
    first = [of_model[0] for of_model in results.values()]
    titles = [registry.MODELS[model].title for model in runs]
    shared = [name for name in first[0]["test"][LISTS] if all(name in one["test"][LISTS] for one in first)]
    rows = [[name, *_means(results, "test", LISTS, name)] for name in shared]
    tables = [Table("Beyond accuracy, test users, lists from all items", ["metric", *titles], rows)]
    for kind, described in KINDS.items():
        rows = [
            [
                f"{group} ({of_group['users']:,} users)",
                metric,
                *_means(results, "test_groups", kind, group, protocol, metric),
            ]
            for group, of_group in first[0]["test_groups"][kind].items()
            for protocol, metric in GROUPED
        ]
        tables.append(Table(f"Full ranking {described}", ["group", "metric", *titles], rows))
    return tables


def _means(results, *path):
    """Returns a text for each model: the mean over its runs of what is at a place of result.json."""
    means = [np.mean([functools.reduce(dict.__getitem__, path, one) for one in runs]) for runs in results.values()]
    return [f"{mean:.1f}" if mean >= 100 else f"{mean:.2f}" if mean >= 1 else f"{mean:.4f}" for mean in means]
