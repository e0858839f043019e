"""The strongest paths of the knowledge graph between a history's items and a recommended one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from katrec.data.collaborative_graph import CollaborativeGraph
from katrec.data.sequences import positions_within


class Step(NamedTuple):
    """An edge of a path as it is walked from the recommended item.

    Attributes:
      relation: the relation's number in the collaborative graph; from the number of the knowledge graph's relations on
        it is an inverse.
      node: the node that it leads to.
      weight: π′ of the edge.
    """

    relation: int
    node: int
    weight: float


class Path(NamedTuple):
    """A path from a recommended item to an item of the history.

    Attributes:
      steps: two or three `Step`s; the last leads to the history's item.
      weight: the product of their weights: what of that item's embedding reaches the recommended one over this path.
    """

    steps: tuple[Step, ...]
    weight: float


class PathFinder:
    """Finds paths over entities of the knowledge graph, not over users; of parallel edges the strongest counts.

    Args:
      graph: the collaborative graph.
      weights: π′ of its edges, float[E].
      num_entities: nodes from here on are users.
    """

    def __init__(self, graph: CollaborativeGraph, weights: np.ndarray, num_entities: int) -> None:
        inside = (graph.heads < num_entities) & (graph.tails < num_entities)
        edges = pd.DataFrame(
            {
                "head": graph.heads[inside],
                "relation": graph.relations[inside],
                "tail": graph.tails[inside],
                "weight": weights[inside].astype(np.float64),
            }
        )
        # Freebase often says one thing twice, by a relation and by its inverse.
        edges = edges.sort_values(["head", "weight"], ascending=[True, False], kind="stable")
        self._edges = edges.drop_duplicates(["head", "tail"])
        # Edges are sorted by head; this order sorts them by tail.
        self._by_tail = np.argsort(self._edges["tail"].to_numpy(), kind="stable")
        nodes = np.arange(num_entities + 1)
        self._first = np.searchsorted(self._edges["head"], nodes)
        self._first_into = np.searchsorted(self._edges["tail"].to_numpy()[self._by_tail], nodes)

    def find(self, item: int, history: Sequence[int], count: int = 5) -> list[Path]:
        """Returns the `count` strongest paths of two and three hops from `item` to the items of `history`.

        Another item may stand in the middle, but no node twice.

        Args:
          item: the recommended item's number.
          history: numbers of the history's items.
          count: how many.

        Returns:
          A list of `Path`, the strongest first.
        """
        goals = np.unique([one for one in history if one != item]).astype(np.int64)
        first = self._out_of(np.array([item]))
        first = first[first["tail"] != item]
        last = self._into(goals)
        middle = self._out_of(first["tail"].unique())
        middle = middle[middle["tail"].isin(last["head"].unique()) & (middle["tail"] != item)]
        two = _joined(first, last)
        three = _joined(first, middle, last)
        found = [path for paths in (two, three) for path in _strongest(paths, count)]
        return sorted(found, key=lambda path: -path.weight)[:count]

    def _out_of(self, nodes):
        return self._edges.iloc[_ranges(self._first, nodes)]

    def _into(self, nodes):
        return self._edges.iloc[self._by_tail[_ranges(self._first_into, nodes)]]


def _ranges(starts, nodes):
    """Returns the places starts[n] … starts[n + 1] − 1 of all nodes n."""
    counts = starts[nodes + 1] - starts[nodes]
    return np.repeat(starts[nodes], counts) + positions_within(counts)


def _joined(*hops):
    """Returns all walks of these hops in which no node stands twice; columns relation0, node0, weight0, relation1, …"""
    columns = {"relation": "relation", "tail": "node", "weight": "weight"}
    walks = None
    for number, hop in enumerate(hops):
        named = hop.rename(columns={old: f"{new}{number}" for old, new in columns.items()})
        if walks is None:
            walks = named.drop(columns="head")
        else:
            walks = walks.merge(named, left_on=f"node{number - 1}", right_on="head").drop(columns="head")
            for earlier in range(number):
                walks = walks[walks[f"node{earlier}"] != walks[f"node{number}"]]
    return walks


def _strongest(walks, count):
    """Returns the `count` walks with the largest products of weights as `Path`s."""
    hops = len(walks.columns) // 3
    products = walks[[f"weight{hop}" for hop in range(hops)]].prod(axis=1)
    chosen = walks.loc[products.nlargest(count).index]
    return [
        Path(
            tuple(
                Step(int(row[f"relation{hop}"]), int(row[f"node{hop}"]), float(row[f"weight{hop}"]))
                for hop in range(hops)
            ),
            float(products[index]),
        )
        for index, row in chosen.iterrows()
    ]
