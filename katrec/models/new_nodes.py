"""Embeddings of nodes that came after training, from their edges and all that was trained."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from katrec.data.collaborative_graph import CollaborativeGraph

BLOCK_NODES = 2048
# Nodes that came together look at each other: each sweep takes the others as the one before left them.
SWEEPS = 3
# Chosen on Grocery's validation items (docs/cold-items.md): below it, few edges pull a node too far from the others.
PRIOR = 300.0


def fitted(
    nodes: np.ndarray,
    projection: np.ndarray,
    relation: np.ndarray,
    graph: CollaborativeGraph,
    is_new: np.ndarray,
    kinds: np.ndarray,
    prior: float = PRIOR,
) -> np.ndarray:
    """Returns e⁽⁰⁾ with that of new nodes set to where TransR's scores of their own edges are least, all else fixed:

        e_h = argmin Σ_{(h, r, t)} ‖Wʳe_h + e_r − Wʳe_t‖² + λ‖e_h − ē‖²

    a system of d linear equations a node. ē is the mean of the known nodes of its kind, λ `prior` times the mean of the
    diagonal of WʳᵀWʳ over the relations, which is about one edge's weight.

    Args:
      nodes: e⁽⁰⁾, float[N, d]; new nodes' values are not read.
      projection: Wʳ, float[|R′|, d, k].
      relation: e_r, float[|R′|, k].
      graph: the collaborative graph, in both directions.
      is_new: bool[N].
      kinds: int[N], items, other entities, users.
      prior: as above.
    """
    result = nodes.astype(np.float64)
    matrices = projection.astype(np.float64)
    grams = matrices @ matrices.transpose(0, 2, 1)
    # −Wʳᵀe_r, what a relation adds to the right-hand side of its edges.
    shifts = -np.einsum("rdk,rk->rd", matrices, relation.astype(np.float64))
    weight = prior * np.trace(grams, axis1=1, axis2=2).mean() / nodes.shape[1]
    means = np.zeros_like(result)
    for kind in np.unique(kinds):
        known = (kinds == kind) & ~is_new
        means[kinds == kind] = result[known].mean(axis=0) if known.any() else 0.0
    result[is_new] = means[is_new]
    numbers = np.flatnonzero(is_new)
    own = is_new[graph.heads]
    heads, relations, tails = graph.heads[own], graph.relations[own], graph.tails[own]
    starts = np.searchsorted(heads, numbers), np.searchsorted(heads, numbers, side="right")
    for _ in range(SWEEPS if (own & is_new[graph.tails]).any() else 1):
        before = result.copy()
        for first in range(0, len(numbers), BLOCK_NODES):
            block = slice(first, first + BLOCK_NODES)
            chosen = numbers[block]
            edges = slice(starts[0][block][0], starts[1][block][-1])
            rows = np.searchsorted(chosen, heads[edges])
            counts, right = np.zeros((len(chosen), len(grams))), weight * means[chosen]
            for one in np.unique(relations[edges]):
                of_one = relations[edges] == one
                places = rows[of_one], tails[edges][of_one]
                joined = sparse.csr_matrix((np.ones(len(places[0])), places), (len(chosen), len(nodes)))
                counts[:, one] = joined.sum(axis=1).A1
                right += (joined @ before) @ grams[one] + counts[:, one, None] * shifts[one]
            left = weight * np.eye(nodes.shape[1]) + np.tensordot(counts, grams, axes=1)
            result[chosen] = np.linalg.solve(left, right[..., None])[..., 0]
    return result.astype(nodes.dtype)
