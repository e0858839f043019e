"""The collaborative knowledge graph 𝒢 (Section 3.2): triplets and training interactions, in both directions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from katrec.data.dataset import Dataset


class CollaborativeGraph(NamedTuple):
    """Edges (h, r, t) over entities and users, sorted, each once.

    Nodes: the entities (items first), then the users. Relations, R of the knowledge graph: 0 … R − 1 as prepared,
    R … 2R − 1 their inverses, 2R "user interacted with item", 2R + 1 its inverse.

    Attributes:
      heads, relations, tails: int32[E].
      num_nodes, num_relations: sizes.
    """

    heads: np.ndarray
    relations: np.ndarray
    tails: np.ndarray
    num_nodes: int
    num_relations: int


def build(dataset: Dataset) -> CollaborativeGraph:
    """Builds 𝒢 of a `Dataset`. Held-out interactions are left out."""
    head, relation, tail = dataset.triplets.T.astype(np.int64)
    users = np.repeat(np.arange(dataset.num_users), np.diff(dataset.offsets)) + dataset.num_entities
    interacts = np.full(len(users), 2 * dataset.num_relations)
    edges = np.stack(
        [
            np.concatenate([head, tail, users, dataset.items]),
            np.concatenate([relation, relation + dataset.num_relations, interacts, interacts + 1]),
            np.concatenate([tail, head, dataset.items, users]),
        ],
        axis=1,
    )
    num_nodes = dataset.num_entities + dataset.num_users
    num_relations = 2 * dataset.num_relations + 2
    heads, relations, tails = edges.T
    keys = np.unique(edge_keys(heads, relations, tails, num_nodes, num_relations))
    return CollaborativeGraph(
        heads=(keys // (num_nodes * num_relations)).astype(np.int32),
        relations=(keys // num_nodes % num_relations).astype(np.int32),
        tails=(keys % num_nodes).astype(np.int32),
        num_nodes=num_nodes,
        num_relations=num_relations,
    )


def edge_keys(
    heads: np.ndarray, relations: np.ndarray, tails: np.ndarray, num_nodes: int, num_relations: int
) -> np.ndarray:
    """Returns one int64 for each edge, (h · |R′| + r) · N + t: equal keys are equal edges, sorted keys sorted edges."""
    return (heads.astype(np.int64) * num_relations + relations) * num_nodes + tails
