"""How alike items are by what the knowledge graph says of them. Beyond the paper."""

from __future__ import annotations

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


def most_alike(vectors: sparse.csr_matrix, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns pairs of an item and one of those whose vectors have the largest cosine with its own.

    Args:
      vectors: unit vectors, csr[|I|, …].
      count: how many an item has at most; those with cosine 0 are left out.

    Returns:
      Items int64[P], ascending; the others int64[P]; their cosines float64[P].
    """
    count = min(count, vectors.shape[0] - 1)
    parts = []
    for start in range(0, vectors.shape[0], BLOCK_ITEMS):
        block = vectors[start : start + BLOCK_ITEMS]
        cosines = (vectors @ block.toarray().T).T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = 0
        best = np.sort(np.argpartition(-cosines, count - 1, axis=1)[:, :count], axis=1)
        found = np.take_along_axis(cosines, best, axis=1)
        row, place = np.nonzero(found > 0)
        parts.append((start + row, best[row, place], found[row, place]))
    items, others, values = map(np.concatenate, zip(*parts))
    return items, others, values
