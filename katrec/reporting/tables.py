"""Tables 1 to 3, the way the paper reports them, next to its own numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from katrec.common import paper
from katrec.models import registry
from katrec.reporting.finished import Finished, user_values, values
from katrec.reporting.table import Table, ranked

PROTOCOLS = {"sampled": "the target among {negatives} sampled negatives", "full": "the target among all items"}
MODEL_TITLES = {name: entry.title for name, entry in registry.MODELS.items()}


def table1(statistics: Mapping[str, Any]) -> Table:
    """Returns Table 1: what the prepared data set holds, above the paper's row where it has the data set.

    Args:
      statistics: statistics.json of the prepared data set; its density is interactions / (users · items).
    """
    name = statistics["dataset"]
    rows = [[name, *(f"{statistics[column]:,}" for column in paper.STATISTICS), f"{statistics['density']:.3%}"]]
    if name in paper.TABLE_1:
        users, items, interactions, *_ = numbers = paper.TABLE_1[name]
        rows.append(["the paper's", *(f"{number:,}" for number in numbers), f"{interactions / users / items:.3%}"])
    return Table("Table 1", ["data set", *paper.STATISTICS, "density"], rows)


def table2(runs: Mapping[str, Sequence[Finished]], num_negatives: int) -> list[Table]:
    """Returns Table 2, sampled and full ranking of the test items: a `Table` each.

    Means over the seeds, ± the standard deviation over them where there are several; Hit@1 is NDCG@1. KATRec, and its
    extension, are compared with the best baseline of the metric; p is that of a paired t-test over the test users,
    whose values are means over the seeds.

    Args:
      runs: {model: [`Finished`, one for each seed]}, in the order of the columns.
      num_negatives: negatives of the sampled ranking.
    """
    return [
        _comparison(f"Table 2, test items, {_title(protocol, num_negatives)}", runs, protocol) for protocol in PROTOCOLS
    ]


def table3(
    runs: Mapping[str, Sequence[Finished]],
    num_negatives: int,
    titles: Mapping[str, str],
    open_choices: Sequence[str],
    title: str = "Table 3",
) -> list[Table]:
    """Returns Table 3, sampled and full ranking of KATRec's variants, and the same of the open choices: a `Table` each.

    A variant of fewer seeds is compared (p) with KATRec's runs of the same seeds.

    Args:
      runs: {variant: [`Finished`, one for each seed]}, "none" being the model itself.
      num_negatives: as in `table2`.
      titles: {variant: its name in the tables}.
      open_choices: those of the variants that are other answers to what the paper leaves open.
      title: another than the paper's, for variants of another model.
    """
    tables = {
        title: [variant for variant in runs if variant not in open_choices],
        "What the paper leaves open": [variant for variant in runs if variant in ("none", *open_choices)],
    }
    return [
        _variants(
            f"{table}, test items, {_title(protocol, num_negatives)}",
            {variant: runs[variant] for variant in chosen},
            titles,
            protocol,
        )
        for table, chosen in tables.items()
        if set(chosen) > {"none"}
        for protocol in PROTOCOLS
    ]


def published(dataset: str, titles: Mapping[str, str]) -> list[Table]:
    """Returns the tables that others published for a data set; `titles` as in `table3`."""
    tables = []
    s3_rec = "Published for these files (S3-Rec, CIKM 2020, 99 sampled negatives; MAP is its MRR)"
    for source, numbers, names in (
        ("Table 2 of the paper (100 sampled negatives)", paper.TABLE_2, MODEL_TITLES),
        ("Table 3 of the paper (100 sampled negatives)", paper.TABLE_3, titles),
        (s3_rec, paper.S3_REC, MODEL_TITLES),
    ):
        columns = numbers.get(dataset)
        if columns:
            metrics = list(next(iter(columns.values())))
            header = ["metric", *(names.get(column, column) for column in columns)]
            rows = [_marked(metric, [column[metric] for column in columns.values()]) for metric in metrics]
            tables.append(Table(source, header, rows))
    return tables


def _marked(metric, numbers):
    return [metric, *ranked([f"{number:.4f}" for number in numbers], numbers)]


def _title(protocol, num_negatives):
    return f"{protocol} ranking: {PROTOCOLS[protocol].format(negatives=num_negatives)}"


def _comparison(title, runs, protocol):
    baselines = [model for model in runs if registry.MODELS[model].baseline]
    compared = [model for model in runs if model not in baselines] if baselines else []
    header = ["metric", *(MODEL_TITLES[model] for model in runs)]
    for model in compared:
        header += [f"{MODEL_TITLES[model]}'s improvement", "p"]
    rows = []
    for metric in _metrics(runs):
        means = {model: float(values(of_model, protocol, metric).mean()) for model, of_model in runs.items()}
        row = _row(metric, runs, protocol)
        for model in compared:
            other = max(baselines, key=means.get)
            change = f"{means[model] / means[other] - 1:+.2%}" if means[other] else "—"
            row += [f"{change} ({MODEL_TITLES[other]})", _p(runs[model], runs[other], protocol, metric)]
        rows.append(row)
    return Table(title, header, rows)


def _variants(title, runs, titles, protocol):
    header = ["metric", *(titles[variant] for variant in runs)]
    rows = []
    for metric in _metrics(runs):
        rows.append(_row(metric, runs, protocol))
        if metric in paper.TABLE_3_METRICS and "none" in runs:
            rows.append(
                [
                    f"p, {metric}",
                    *(
                        ""
                        if variant == "none"
                        else _p(_of_seeds(runs["none"], runs[variant]), runs[variant], protocol, metric)
                        for variant in runs
                    ),
                ]
            )
    return Table(title, header, rows)


def _metrics(runs):
    """Returns the metrics that all runs have; Hit@1 is NDCG@1."""
    shared = set.intersection(*(set(run.result["test"]["full"]) for of_column in runs.values() for run in of_column))
    cutoffs = sorted(int(name.split("@")[1]) for name in shared if name.startswith("NDCG@"))
    return [f"NDCG@{k}" for k in cutoffs] + [f"Hit@{k}" for k in cutoffs if k > 1] + ["MAP"]


def _of_seeds(runs, others):
    """Returns those of `runs` whose seeds `others` have."""
    seeds = {run.result["seed"] for run in others}
    return [run for run in runs if run.result["seed"] in seeds]


def _row(metric, runs, protocol):
    numbers = [values(of_column, protocol, metric) for of_column in runs.values()]
    texts = [f"{one.mean():.4f}" + (f" ± {one.std(ddof=1):.4f}" if len(one) > 1 else "") for one in numbers]
    return [metric, *ranked(texts, [float(one.mean()) for one in numbers])]


def _p(left, right, protocol, metric):
    """Returns the p-value of a paired t-test over users."""
    one, other = (user_values(runs, protocol, metric) for runs in (left, right))
    if np.array_equal(one, other):
        return "1"
    p = stats.ttest_rel(one, other).pvalue
    if p == 0:
        return "< 1e-300"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"
