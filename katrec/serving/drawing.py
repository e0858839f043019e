"""An explanation's path graph as a figure."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from katrec.serving.explanation import Explanation

ITEM, ENTITY, RECOMMENDED = "#56B4E9", "#DDDDDD", "#E69F00"


def draw(explanation: Explanation) -> Figure:
    """Returns a figure: the recommended item at the left, the history's items at the right, entities between.

    The width of a line is the weight π′ of its edge.

    Args:
      explanation: with at least one path.

    Raises:
      ValueError: there are no paths.
    """
    if not explanation.paths:
        raise ValueError(f"there are no paths to draw ({explanation.note})")
    columns = {explanation.name: 0}
    for hops, _ in explanation.paths:
        for depth, hop in enumerate(hops, start=1):
            last = depth == len(hops)
            columns[hop.target] = max(columns.get(hop.target, 0), 3 if last else depth)
    places = {}
    for column in range(4):
        names = [name for name, own in columns.items() if own == column]
        for row, name in enumerate(names):
            places[name] = (column, (row + 0.5) / len(names))
    figure = Figure(figsize=(10, 1.5 + 0.8 * max(2, len(places) / 2)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for source, relation, target, weight in {hop for hops, _ in explanation.paths for hop in hops}:
        (x0, y0), (x1, y1) = places[source], places[target]
        axes.annotate(
            "",
            (x1, y1),
            (x0, y0),
            arrowprops={
                "arrowstyle": "->",
                "color": "#555555",
                "linewidth": 0.8 + 4 * np.sqrt(weight),
                "shrinkA": 18,
                "shrinkB": 18,
            },
        )
        label = relation.replace(".", ".\n")
        axes.text(
            (x0 + x1) / 2,
            (y0 + y1) / 2,
            f"{label}\n{weight:.2g}",
            ha="center",
            va="center",
            fontsize=7,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )
    for name, (x, y) in places.items():
        colour = RECOMMENDED if x == 0 else ITEM if x == 3 else ENTITY
        axes.text(
            x,
            y,
            name if len(name) < 30 else name[:29] + "…",
            ha="center",
            va="center",
            fontsize=8,
            bbox={"boxstyle": "round", "facecolor": colour, "edgecolor": "#333333"},
        )
    axes.set(xlim=(-0.4, 3.4), ylim=(0, 1))
    axes.set_axis_off()
    return figure
