"""From a data set's finished runs to its results folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from katrec.common import files
from katrec.data.dataset import load
from katrec.evaluation.groups import by_length
from katrec.models import registry
from katrec.models.transformer_model import TransformerModel
from katrec.reporting import figure_data, figures, notes, tables
from katrec.reporting.beyond_accuracy import beyond_accuracy
from katrec.reporting.finished import as_json, read_all
from katrec.reporting.report import Report
from katrec.training.checkpoints import best_model

COMPARED = (
    "p: paired t-test over the test users, against KATRec's runs of the same seeds. KATRec's seconds include those of "
    "its pre-training, also where a run read the embeddings that another one had kept."
)
DEFAULT_RANKING = "sampled/NDCG@10"
CAPTIONS = {
    "figure4": "Figure 4. NDCG@10 of the test items among sampled negatives by the length of the user's history; "
    "bars: share of the users.",
    "figure5": "Figure 5. Attention weights on the last 15 positions, averaged over the test users; 0 is the mask "
    "token that stands for the next item. Padded positions are left out.",
    "figure6": "Figure 6. The last six items of a user drawn at random: (a) share of all users whose training history "
    "holds both; (b) the last layer's weights at the mask token, averaged over the heads.",
    "curves": "Training loss and a metric of the validation items, of the first seed's runs.",
}


def write(
    folder: str,
    datasets_dir: str,
    dataset: str,
    folders: Mapping[tuple[str, str, str], str],
    seeds: Sequence[str],
    titles: Mapping[str, str],
    open_choices: Sequence[str],
) -> str:
    """Writes the tables and figures that the finished runs allow, report.html and results.json.

    Args:
      folder: where to, RESULTS_DIR/DATASET.
      datasets_dir: folder of the prepared data sets.
      dataset: the data set's name.
      folders: {(model, variant, seed): run directory} of the runs that are finished; the variant is "none" for the
        model itself.
      seeds: in their order.
      titles: {variant of KATRec: its name in the tables}, in their order.
      open_choices: the variants that have a table of their own.

    Returns:
      The text of Table 2.
    """
    finished, runs = read_all(folders, seeds)
    prepared = load(datasets_dir, dataset)
    report = Report(folder, dataset, [*notes.notes(runs, seeds, titles), COMPARED])
    statistics = files.read_json(os.path.join(datasets_dir, dataset, "statistics.json"))
    report.tables("table1", [tables.table1(statistics)])
    models = {model: runs[model, "none"] for model in registry.MODELS if (model, "none") in runs}
    num_negatives = next(iter(finished.values())).settings.num_negatives
    published = tables.published(dataset, titles)
    text = report.tables("table2", [*tables.table2(models, num_negatives), *published, *beyond_accuracy(models)])
    of_variants = [table for model in models for table in _variants(model, runs, num_negatives, titles, open_choices)]
    if of_variants:
        report.tables("table3", of_variants)
    numbers = _figures(report, runs, models, prepared, titles)
    report.page()
    report.numbers(
        {
            "dataset": dataset,
            "statistics": statistics,
            **notes.origin(),
            "seeds": [int(seed) for seed in seeds],
            "runs": as_json(finished),
            **numbers,
        }
    )
    return text


def _variants(model, runs, num_negatives, titles, open_choices):
    """Returns the tables of a model's variants; none where there are none."""
    of_model = {variant: runs[model, variant] for variant in titles if (model, variant) in runs}
    if len(of_model) < 2:
        return []
    name = registry.MODELS[model].title
    title = "Table 3" if model == "katrec" else f"{name}, changed in one part"
    return tables.table3(of_model, num_negatives, {**titles, "none": name}, open_choices, title)


def _figures(report, runs, models, dataset, titles):
    """Writes the figures; returns the numbers that only they show."""
    users = next(iter(models.values()))[0].ranks["users"]
    groups = by_length(np.diff(dataset.histories("test")[0])[users])
    labels, members = list(groups), list(groups.values())
    shares = [inside.mean() for inside in members]
    by_group = {
        notes.title(model, "none", titles): figure_data.group_metric(of_model, members, "NDCG@10")
        for model, of_model in models.items()
    }
    report.figure("figure4", CAPTIONS["figure4"], figures.user_groups(labels, shares, by_group))
    numbers = {
        "figure4": {
            "groups": labels,
            "shares": shares,
            "NDCG@10": {title: list(values) for title, values in by_group.items()},
        }
    }
    numbers.update(_attention_figures(report, runs, dataset, titles))
    curves = {notes.title(model, "none", titles): of_model[0].history for model, of_model in models.items()}
    metrics = notes.stopping_metrics(runs)
    # Every evaluation has the sampled ranking.
    ranking = metrics[0] if len(metrics) == 1 else DEFAULT_RANKING
    report.figure("curves", CAPTIONS["curves"], figures.curves(curves, ranking))
    return numbers


def _attention_figures(report, runs, dataset, titles):
    """Writes Figures 5 and 6 of the models that attend the whole history; returns their numbers."""
    attentive = [name for name in registry.MODELS if issubclass(registry.model_class(name), TransformerModel)]
    keys = [(model, variant) for model in reversed(attentive) for variant in ("none", "no_position")]
    best = {key: best_model(runs[key][0].folder, runs[key][0].settings, dataset) for key in keys if key in runs}
    if not best:
        return {}
    weights = figure_data.figure5({notes.title(*key, titles): model for key, model in best.items()}, dataset)
    report.figure("figure5", CAPTIONS["figure5"], figures.average_attention(weights))
    numbers = {
        "figure5": {title: np.where(np.isnan(one), None, one.round(5)).tolist() for title, one in weights.items()}
    }
    themselves = {notes.title(*key, titles): model for key, model in best.items() if key[1] == "none"}
    try:
        items, ratio, attention = figure_data.figure6(themselves, dataset, seed=1)
    except ValueError as error:
        print(f"Figure 6 is left out: {error}")
        return numbers
    places = [str(place) for place in range(1, len(items) + 1)]
    report.figure("figure6", CAPTIONS["figure6"], figures.one_user(places, ratio, attention))
    numbers["figure6"] = {
        "items": items.tolist(),
        "ratio": ratio.tolist(),
        "attention": {title: one.tolist() for title, one in attention.items()},
    }
    return numbers
