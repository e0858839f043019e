"""How alike items are by what the knowledge graph says of them. Beyond the paper."""

from __future__ import annotations

from typing import Optional

import numpy as np
from scipy import sparse

from katrec.data.dataset import Dataset

BLOCK_ITEMS = 256


def item_vectors(dataset: Dataset, with_items: bool = True, by_rarity: bool = True) -> sparse.csr_matrix:
    """Returns a unit vector over entities of each item: those that a triplet joins to it, in either direction.

    Args:
      dataset: its triplets are read.
      with_items: whether items are entities, an item having itself; else only attributes are.
      by_rarity: an entity's value is ln(|I| / items that have it), else 1.

    Returns:
      csr float64[|I|, entities]; a row is 0 where an item has no entity that others lack.
    """
    heads, _, tails = dataset.triplets.T
    ends = np.concatenate([np.stack([heads, tails]), np.stack([tails, heads])], axis=1)
    ends = ends[:, ends[0] < dataset.num_items]
    if with_items:
        ends = np.concatenate([ends, np.tile(np.arange(dataset.num_items), (2, 1))], axis=1)
    else:
        ends = ends[:, ends[1] >= dataset.num_items]
    vectors = sparse.csr_matrix((np.ones(ends.shape[1]), ends), (dataset.num_items, dataset.num_entities))
    vectors.data[:] = 1
    if by_rarity:
        counts = np.maximum(vectors.getnnz(axis=0), 1)
        vectors = (vectors @ sparse.diags(np.log(dataset.num_items / counts))).tocsr()
    lengths = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1))[:, 0])
    return (sparse.diags(1 / np.maximum(lengths, np.finfo(float).tiny)) @ vectors).tocsr()


def most_alike(
    vectors: sparse.csr_matrix,
    count: int,
    among: Optional[np.ndarray] = None,
    items: Optional[np.ndarray] = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns pairs of an item and one of those whose vectors have the largest cosine with its own.

    Args:
      vectors: unit vectors, csr[|I|, …].
      count: how many an item has at most; those with cosine 0 are left out.
      among: which items they are looked for among, bool[|I|]; all, if not given.
      items: whose, int[n], ascending; all items', if not given.

    Returns:
      Items int64[P], ascending; the others int64[P]; their cosines float64[P].
    """
    count = min(count, vectors.shape[0] - 1)
    items = np.arange(vectors.shape[0]) if items is None else items
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for start in range(0, len(items), BLOCK_ITEMS):
        block = items[start : start + BLOCK_ITEMS]
        cosines = (vectors @ vectors[block].toarray().T).T
        cosines[np.arange(len(block)), block] = 0
        if among is not None:
            cosines[:, ~among] = 0
        best = np.sort(np.argpartition(-cosines, count - 1, axis=1)[:, :count], axis=1)
        found = np.take_along_axis(cosines, best, axis=1)
        row, place = np.nonzero(found > 0)
        parts.append((block[row], best[row, place], found[row, place]))
    owners, others, values = map(np.concatenate, zip(*parts))
    return owners, others, values
