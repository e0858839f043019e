"""Why an item was recommended: paths of the knowledge graph, and attention on the history."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from katrec.common import files
from katrec.common.command_line import UserError
from katrec.common.ids import as_text
from katrec.data import collaborative_graph
from katrec.data.dataset import load
from katrec.data.growth import NewItems, known_to
from katrec.serving.paths import PathFinder

if TYPE_CHECKING:
    from katrec.serving.recommender import Recommender


class Hop(NamedTuple):
    """A step of a path, with names: `relation` as it is read from `source` to `target`; weight is π′."""

    source: str
    relation: str
    target: str
    weight: float


class Explanation(NamedTuple):
    """What speaks for an item.

    Attributes:
      item: its raw id.
      name: its title, or its id.
      paths: tuples of `Hop` from the item to one of the history, the strongest first, and each path's weight.
      attention: pairs (name, weight) of the history's items that the model reads, oldest first.
      note: why there are no paths, or an empty text.
    """

    item: str
    name: str
    paths: list[tuple[tuple[Hop, ...], float]]
    attention: list[tuple[str, float]]
    note: str

    def text(self) -> str:
        """Returns lines for a terminal."""
        lines = [f"{self.name} ({self.item})"]
        for hops, weight in self.paths:
            steps = "".join(f" —{hop.relation} {hop.weight:.2g}→ {hop.target}" for hop in hops)
            lines.append(f"  path {weight:.2g}: {hops[0].source}{steps}")
        if self.note:
            lines.append(f"  {self.note}")
        strongest = sorted(self.attention, key=lambda pair: -pair[1])[:5]
        if strongest:
            lines.append("  attention: " + ", ".join(f"{name} {weight:.2f}" for name, weight in strongest))
        return "\n".join(lines)


class Explainer:
    """What `Recommender.explain` needs, read once.

    Args:
      recommender: whose answers are explained.
      datasets_dir: folder of the prepared data sets; without the model's data set there, or for a model without a
        graph, explanations have attention only, and say so.
      additions: what was added to the data set after the training.
    """

    def __init__(self, recommender: Recommender, datasets_dir: str, additions: Sequence[NewItems] = ()) -> None:
        self._recommender, self._additions = recommender, additions
        self._finder: Optional[PathFinder] = None
        self.note = ""
        weights = recommender.graph_attention()
        name = recommender.metadata["dataset"]
        folder = os.path.join(datasets_dir, name)
        if weights is None:
            self.note = f"no paths: {recommender.metadata['model']} has no knowledge graph"
        elif not os.path.exists(os.path.join(folder, files.MANIFEST)):
            self.note = f"no paths: they need the prepared data set {name}, which is not in {datasets_dir}"
        else:
            self._read(folder, datasets_dir, name, weights)

    def _read(self, folder, datasets_dir, name, weights):
        dataset = load(datasets_dir, name)
        if dataset.checksums != self._recommender.metadata["data"]:
            raise UserError(
                f"{folder}: was prepared otherwise than the data set that the model was trained on; "
                "prepare it again with the same settings"
            )
        dataset = known_to(dataset, self._recommender.metadata, self._additions)
        graph = collaborative_graph.build(dataset)
        self._finder = PathFinder(graph, weights, dataset.num_entities)
        self._num_relations = dataset.num_relations
        self._relations = dataset.raw_ids("relation")
        entities, items = dataset.raw_ids("entity"), dataset.raw_ids("item")
        self._numbers = {item: number for number, item in enumerate(items)}
        self._names = [self._name(item) for item in items] + entities[len(items) :]

    def explain(self, history: Sequence[Any], item: Any, user: Any = None, count: int = 3) -> Explanation:
        """See `Recommender.explain`."""
        attention = [(self._name(one), weight) for one, weight in self._recommender.attention(history, user)]
        paths: list[tuple[tuple[Hop, ...], float]] = []
        note = self.note
        if self._finder:
            known = [self._numbers[one] for one in map(as_text, history) if one in self._numbers]
            if as_text(item) not in self._numbers:
                note = "no paths: the item is not in the data set"
            else:
                start = self._numbers[as_text(item)]
                paths = [(self._hops(start, path), path.weight) for path in self._finder.find(start, known, count)]
                note = "" if paths else "no path of two or three hops to the history"
        return Explanation(as_text(item) or "", self._name(item), paths, attention, note)

    def _hops(self, start, path):
        nodes = [start, *(step.node for step in path.steps)]
        return tuple(
            Hop(self._names[source], self._relation(step.relation), self._names[step.node], step.weight)
            for source, step in zip(nodes, path.steps)
        )

    def _relation(self, number):
        """An inverse relation is named with a caret, as in SPARQL's property paths."""
        if number < self._num_relations:
            return self._relations[number]
        return "^" + self._relations[number - self._num_relations]

    def _name(self, item):
        text = as_text(item) or ""
        return self._recommender.titles.get(text, text)
