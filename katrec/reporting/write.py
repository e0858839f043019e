"""From a data set's finished runs to its results folder."""

import os
import shlex
import sys
from importlib import metadata

import numpy as np

from katrec.data.dataset import load
from katrec.reporting import attention_figures, figures, tables
from katrec.reporting.finished import read
from katrec.reporting.groups import group_metric, length_groups
from katrec.reporting.machine import machine, today
from katrec.reporting.names import MODELS, VARIANTS
from katrec.reporting.report import Report
from katrec.training.checkpoints import best_model
from katrec.training.run_directory import read_config
from katrec_common import files

PACKAGES = ("tensorflow", "numpy", "scipy", "pandas")
CAPTIONS = {
    "figure4": "Figure 4. NDCG@10 of the test items among sampled negatives by the length of the user's history; "
    "bars: share of the users.",
    "figure5": "Figure 5. Attention weights on the last 15 positions, averaged over the test users; 0 is the mask "
    "token that stands for the next item. Padded positions are left out.",
    "figure6": "Figure 6. The last six items of a user drawn at random: (a) share of all users whose training history "
    "holds both; (b) the last layer's weights at the mask token, averaged over the heads.",
    "curves": "Training loss and validation NDCG@10 of the first seed's runs.",
}


def write(folder, datasets_dir, dataset, folders, seeds):
    """Writes the tables and figures that the finished runs allow, report.html and results.json.

    Args:
      folder: where to, RESULTS_DIR/DATASET.
      datasets_dir, dataset: the prepared data set.
      folders: {(model, variant, seed): run directory} of the runs that are finished.
      seeds: in their order.

    Returns:
      The text of Table 2.
    """
    finished = {key: read(path) for key, path in folders.items()}
    runs = {
        (model, variant): own
        for model, variant in dict.fromkeys(key[:2] for key in finished)
        for own in [[finished[model, variant, seed] for seed in seeds if (model, variant, seed) in finished]]
    }
    prepared = load(datasets_dir, dataset)
    report = Report(folder, dataset, _notes(runs, seeds))
    statistics = files.read_json(os.path.join(datasets_dir, dataset, "statistics.json"))
    report.tables("table1", [tables.table1(statistics)])
    models = {model: runs[model, "none"] for model in MODELS if (model, "none") in runs}
    variants = {variant: runs["katrec", variant] for variant in VARIANTS if ("katrec", variant) in runs}
    num_negatives = next(iter(finished.values())).config["num_negatives"]
    published = tables.published(dataset)
    text = report.tables("table2", [*tables.table2(models, num_negatives), *published])
    if len(variants) > 1:
        report.tables("table3", tables.table3(variants, num_negatives))
    numbers = _figures(report, runs, models, prepared)
    report.page()
    report.numbers(
        {
            "dataset": dataset,
            "statistics": statistics,
            "command": _command(),
            "machine": machine(),
            "date": today(),
            "versions": {name: metadata.version(name) for name in PACKAGES},
            "seeds": [int(seed) for seed in seeds],
            "runs": [
                {"model": model, "variant": variant, "seed": int(seed), "result": one.result, "flags": one.config}
                for (model, variant, seed), one in finished.items()
            ],
            **numbers,
        }
    )
    return text


def _figures(report, runs, models, dataset):
    """Writes the figures; returns the numbers that only they show."""
    users = next(iter(models.values()))[0].ranks["users"]
    labels, members = length_groups(np.diff(dataset.histories("test")[0])[users])
    shares = [inside.mean() for inside in members]
    by_group = {MODELS[model]: group_metric(own, members, "NDCG@10") for model, own in models.items()}
    report.figure("figure4", CAPTIONS["figure4"], figures.user_groups(labels, shares, by_group))
    numbers = {
        "figure4": {
            "groups": labels,
            "shares": shares,
            "NDCG@10": {title: list(values) for title, values in by_group.items()},
        }
    }
    attentive = {
        _title(*key): best_model(runs[key][0].folder, read_config(runs[key][0].folder), dataset)
        for key in (("katrec", "none"), ("katrec", "no_position"), ("bert4rec", "none"))
        if key in runs
    }
    if attentive:
        weights = attention_figures.figure5(attentive, dataset)
        report.figure("figure5", CAPTIONS["figure5"], figures.average_attention(weights))
        pair = {title: model for title, model in attentive.items() if title in MODELS.values()}
        items, ratio, attention = attention_figures.figure6(pair, dataset, seed=1)
        places = [str(place) for place in range(1, len(items) + 1)]
        report.figure("figure6", CAPTIONS["figure6"], figures.one_user(places, ratio, attention))
        numbers["figure5"] = {
            title: np.where(np.isnan(one), None, one.round(5)).tolist() for title, one in weights.items()
        }
        numbers["figure6"] = {
            "items": items.tolist(),
            "ratio": ratio.tolist(),
            "attention": {title: one.tolist() for title, one in attention.items()},
        }
    curves = {MODELS[model]: own[0].history for model, own in models.items()}
    report.figure("curves", CAPTIONS["curves"], figures.curves(curves))
    return numbers


def _notes(runs, seeds):
    lines = [f"Command: `{_command()}`", f"Seeds: {', '.join(seeds)}"]
    for (model, variant), own in runs.items():
        steps, seconds = (", ".join(f"{run.result[name]:.0f}" for run in own) for name in ("step", "seconds"))
        result = own[0].result
        lines.append(
            f"{_title(model, variant)}: steps {steps}; seconds {seconds}; {result['precision']} products; "
            f"{result['users']} test users"
        )
    return [
        *lines,
        f"Machine: {machine()}",
        f"Date: {today()}",
        "Each run's weights are those with the best validation NDCG@10; p: paired t-test over the test users, "
        "against KATRec's runs of the same seeds. KATRec's seconds include those of its pre-training, also where a "
        "run read the embeddings that another one had kept.",
    ]


def _title(model, variant):
    return MODELS[model] if variant == "none" else f"{MODELS[model]}, {VARIANTS[variant][0]}"


def _command():
    return shlex.join(["./run_experiments.sh", *sys.argv[1:]])
