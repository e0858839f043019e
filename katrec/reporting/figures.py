"""Figures 4 to 6 and the training curves: matplotlib figures, legible in print and without colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart; markers tell them apart in grey.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7")
MARKERS = ("o", "s", "^", "D", "v", "X", "P")
DASHES = ("-", "--", ":", "-.")
HEATMAP = "cividis"
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "katrec",
    "legend.frameon": False,
}


@matplotlib.rc_context(STYLE)
def save(figure: Figure, path: str) -> None:
    """Writes `path`.png and `path`.svg; the same figure gives the same bytes."""
    figure.savefig(f"{path}.png", dpi=150, metadata={"Software": None})
    figure.savefig(f"{path}.svg", metadata={"Date": None})


@matplotlib.rc_context(STYLE)
def user_groups(labels: Sequence[str], shares: Sequence[float], curves: Mapping[str, Sequence[float]]) -> Figure:
    """Figure 4: NDCG@10 of user groups by length of their history, over bars with each group's share of users.

    Args:
      labels: of the groups.
      shares: of the users, float[groups].
      curves: {model's title: float[groups]}.
    """
    figure, ((axes,),) = _grid(1, 1, 6.4, 3.6)
    bars = axes.twinx()
    bars.bar(range(len(labels)), 100 * np.asarray(shares), width=0.6, color="#DDDDDD", zorder=0)
    bars.set(
        ylabel="share of users (%)",
        ylim=(0, 250 * max(shares)),
        yticks=np.linspace(0, 100, 5)[np.linspace(0, 1, 5) <= 1.2 * max(shares)],
    )
    bars.spines["right"].set_visible(True)
    axes.set_zorder(1)
    axes.patch.set_visible(False)
    for number, (title, values) in enumerate(curves.items()):
        axes.plot(range(len(labels)), values, label=title, **_line(number))
    axes.set(xlabel="items in the history", ylabel="NDCG@10", xticks=range(len(labels)), xticklabels=labels)
    axes.legend(ncol=3, loc="upper center", bbox_to_anchor=(0.5, 1.22))
    return figure


@matplotlib.rc_context(STYLE)
def average_attention(weights: Mapping[str, np.ndarray]) -> Figure:
    """Figure 5: mean attention weights on the last positions.

    Each model has a row, each of its layers' heads a column.

    Args:
      weights: {title: float[layers, heads, positions, positions]}, as `evaluation.attention` gives them.
    """
    positions = next(iter(weights.values())).shape[-1]
    figure, grid = _grid(len(weights), max(one.shape[0] * one.shape[1] for one in weights.values()), 1.9, 1.9)
    ticks = np.arange(positions - 1, -1, -5)
    # One scale for all, so that colours can be compared; beyond its end only what few cells reach.
    highest = max(np.nanquantile(one, 0.99) for one in weights.values())
    for row, (title, one) in zip(grid, weights.items()):
        for column, axes in enumerate(row):
            layer, head = divmod(column, one.shape[1])
            if layer == len(one):
                axes.set_axis_off()
                break
            image = axes.imshow(one[layer, head], cmap=HEATMAP, vmin=0, vmax=highest)
            axes.set(xticks=ticks, yticks=ticks, xticklabels=ticks - positions + 1, yticklabels=ticks - positions + 1)
            axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=8)
        row[0].set_ylabel(f"{title}\nposition that attends")
    for axes in grid[-1]:
        axes.set_xlabel("attended position")
    figure.colorbar(image, ax=grid, shrink=0.8, label="mean attention weight", extend="max")
    return figure


@matplotlib.rc_context(STYLE)
def one_user(labels: Sequence[str], ratio: np.ndarray, attention: Mapping[str, np.ndarray]) -> Figure:
    """Figure 6: how often a user's last items occur together, beside the last position's attention to them.

    Args:
      labels: of the items, oldest first.
      ratio: float[n, n] of `evaluation.attention.cooccurrence_ratio`.
      attention: {model's title: float[n]}, the last layer's mean weights over its heads.
    """
    figure, ((left, right),) = _grid(1, 2, 4.2, 3.6)
    places = range(len(labels))
    pairs = np.where(np.eye(len(labels), dtype=bool), np.nan, ratio)
    figure.colorbar(left.imshow(pairs, cmap=HEATMAP), ax=left, shrink=0.8)
    left.set(xticks=places, xticklabels=labels, yticks=places, yticklabels=labels, xlabel="item", ylabel="item")
    left.set_title("(a) share of users with both items", fontsize=9)
    values = np.stack(list(attention.values()))
    figure.colorbar(right.imshow(values, cmap=HEATMAP, vmin=0), ax=right, shrink=0.8)
    right.set(xticks=places, xticklabels=labels, xlabel="item", yticks=range(len(values)), yticklabels=list(attention))
    right.set_title("(b) attention of the last position", fontsize=9)
    for (row, column), value in np.ndenumerate(values):
        right.text(
            column,
            row,
            f"{value:.2f}",
            ha="center",
            va="center",
            fontsize=7,
            color="black" if value > 0.6 * values.max() else "white",
        )
    return figure


@matplotlib.rc_context(STYLE)
def curves(histories: Mapping[str, Sequence[Mapping[str, Any]]], ranking: str) -> Figure:
    """Loss and a metric of the validation items against the step, of one run a model.

    Args:
      histories: {title: rows of metrics.jsonl}.
      ranking: protocol and metric, such as "sampled/NDCG@10".
    """
    protocol, metric = ranking.split("/")
    figure, ((loss, valid),) = _grid(1, 2, 4.2, 3.2)
    for number, (title, rows) in enumerate(histories.items()):
        steps = [row["step"] for row in rows]
        style = {**_line(number), "markersize": 3, "linewidth": 1}
        loss.plot(steps, [row["loss"] for row in rows], label=title, **style)
        valid.plot(steps, [row["valid"][protocol][metric] for row in rows], **style)
    loss.set(xlabel="step", ylabel="training loss (each model's own)", yscale="log")
    valid.set(xlabel="step", ylabel=f"validation {metric}, {protocol}")
    loss.legend(fontsize=8)
    return figure


def _line(number: int) -> dict[str, str]:
    """Returns colour, marker and dashes of line `number`, different for any number of lines that can be told apart."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": DASHES[number // len(COLOURS) % len(DASHES)],
    }


def _grid(rows, columns, width, height):
    """Returns a figure without a window and its axes, [rows][columns], each so many inches wide and high."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)
