"""The table of the cold items' protocol: what models and simple baselines make of new items, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from katrec.data.dataset import Dataset
from katrec.evaluation import cold_baselines
from katrec.evaluation.summary import AMONG_COLD
from katrec.models import registry
from katrec.reporting import notes
from katrec.reporting.finished import as_json, read_all
from katrec.reporting.report import Report
from katrec.reporting.table import Table, ranked

METRICS = ("NDCG@10", "Hit@10")
# The users whose test item is of a group, and what that is ranked among.
COLUMNS = {
    "cold, among the cold": ("cold", AMONG_COLD),
    "cold, among all": ("cold", "full"),
    "warm, among all": ("warm", "full"),
}


def write(
    folder: str,
    dataset: Dataset,
    folders: Mapping[tuple[str, str, str], str],
    seeds: Sequence[str],
    share: float,
    cold_seed: int,
) -> str:
    """Writes cold.md and cold.json of the finished runs of the protocol.

    Args:
      folder: where to, RESULTS_DIR/DATASET.
      dataset: all of it.
      folders: {(model, "none", seed): run directory} of the runs that are finished.
      seeds: in their order.
      share: as in `katrec.data.cold_items.hold_out`.
      cold_seed: as there.

    Returns:
      The text of cold.md.

    Raises:
      UserError: no user's test item is cold.
    """
    simple = cold_baselines.evaluate(dataset, share, cold_seed)
    finished, runs = read_all(folders, seeds)
    groups = next(iter(finished.values())).result["test_groups"]["target"]
    report = Report(
        folder,
        dataset.name,
        [
            *notes.notes(runs, seeds, {}),
            f"{share:g} of the items, drawn with seed {cold_seed}, lose their training and validation interactions. "
            f"{groups['cold']['users']:,} test items are among them, {groups['warm']['users']:,} are not.",
            "The simple baselines' choices are those that rank the validation interactions that were taken away best.",
        ],
    )
    rows = {
        _name(one): [{"cold": {AMONG_COLD: one.among_cold, "full": one.full}, "warm": {"full": one.warm}}]
        for one in simple
    }
    rows.update(
        {
            registry.MODELS[model].title: [run.result["test_groups"]["target"] for run in of]
            for (model, _), of in runs.items()
        }
    )
    header = ["", *(f"{metric}, {column}" for column in COLUMNS for metric in METRICS)]
    columns = [_column(rows, group, protocol, metric) for group, protocol in COLUMNS.values() for metric in METRICS]
    table = Table(f"Test items that are cold, {share:g} of the catalogue", header, list(zip(rows, *columns)))
    text = report.tables("cold", [table])
    report.numbers(
        {
            "dataset": dataset.name,
            **notes.origin(),
            "simple": [one._asdict() for one in simple],
            "runs": as_json(finished),
        },
        "cold",
    )
    return text


def _name(simple):
    choice = ", ".join(f"{name} {value}" for name, value in simple.choice.items())
    return f"{simple.title} ({choice})" if choice else simple.title


def _column(rows, group, protocol, metric):
    """Returns a column's cells: means over the seeds; "—" where there is no such user."""
    found = [[one[group][protocol] for one in of_name if one.get(group, {}).get(protocol)] for of_name in rows.values()]
    values = [np.array([one[metric] for one in of_name]) for of_name in found]
    texts = [
        f"{one.mean():.4f}" + (f" ± {one.std(ddof=1):.4f}" if len(one) > 1 else "") if len(one) else "—"
        for one in values
    ]
    return ranked(texts, [float(one.mean()) if len(one) else -1.0 for one in values])
