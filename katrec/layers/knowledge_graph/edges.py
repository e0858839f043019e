"""Ego networks (Section 3.2): every node's neighbourhood, and products with its attention weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from katrec.layers.sparse_products import compressed, times, transposed

BLOCK_EDGES = 1 << 14


class AttentionMatrix(NamedTuple):
    """π′ of some nodes' ego networks as compressed sparse rows, which cost time to build and none to use again.

    Attributes:
      matrix: rows × N, variant scalar.
      transposed: N × rows, variant scalar.
      weights: π′ of its edges, float[E′].
      num_rows: rows.
    """

    matrix: tf.Tensor
    transposed: tf.Tensor
    weights: tf.Tensor
    num_rows: int


class EgoNetworks:
    """The neighbourhoods N_h of all nodes: the graph's edges in the orders that attention and propagation need.

    Parallel edges (same head and tail, another relation) are edges of their own.

    Args:
      heads: int[E], h of each edge (h, r, t), in any order.
      relations: int[E], its r.
      tails: int[E], its t.
      num_nodes: N; nodes are 0 … N − 1.
      block_edges: how many edges are scored at a time.

    Attributes:
      heads, tails: int32[E] in row order (by head, then relation, then tail).
      by_relation: the same edges by relation, for the attention.
      row_order: int32[E], each edge's place in `by_relation`.
      num_nodes: N.

    Raises:
      ValueError: an edge names a node outside 0 … N − 1.
    """

    def __init__(
        self,
        heads: np.ndarray,
        relations: np.ndarray,
        tails: np.ndarray,
        num_nodes: int,
        block_edges: int = BLOCK_EDGES,
    ) -> None:
        if len(heads) and not 0 <= min(heads.min(), tails.min()) <= max(heads.max(), tails.max()) < num_nodes:
            raise ValueError(f"an edge names a node outside 0 … {num_nodes - 1}")
        order = np.lexsort((tails, relations, heads))
        heads, relations, tails = heads[order], relations[order], tails[order]
        self.num_nodes = num_nodes
        self.block_edges = block_edges
        self.heads = tf.constant(heads, tf.int32)
        self.tails = tf.constant(tails, tf.int32)
        self._row_starts = np.searchsorted(heads, np.arange(num_nodes + 1))
        self._indices = tf.constant(np.stack([heads, tails], 1), tf.int64)
        by_relation = np.argsort(relations, kind="stable")
        self.by_relation = RelationEdges(heads[by_relation], relations[by_relation], tails[by_relation], block_edges)
        rows = np.empty(len(by_relation), np.int32)
        rows[by_relation] = np.arange(len(by_relation))
        self.row_order = tf.constant(rows)

    def softmax(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns π′: the softmax of `logits`, float[E] in row order, over the edges of each head."""
        peak = tf.math.segment_max(tf.stop_gradient(logits), self.heads)
        weights = tf.exp(logits - tf.gather(peak, self.heads))
        return weights / tf.gather(tf.math.segment_sum(weights, self.heads), self.heads)

    def matrix(self, weights: tf.Tensor, num_rows: Optional[int] = None) -> AttentionMatrix:
        """Returns the `AttentionMatrix` of the nodes 0 … num_rows − 1 (all, if not given).

        Args:
          weights: π′, float[E] in row order.
          num_rows: how many nodes' ego networks are wanted.
        """
        num_rows = self.num_nodes if num_rows is None else num_rows
        weights = weights[: self._row_starts[num_rows]]
        indices = self._indices[: self._row_starts[num_rows]]
        matrix = compressed(indices, tf.stop_gradient(weights), num_rows, self.num_nodes)
        return AttentionMatrix(matrix, transposed(matrix), weights, num_rows)

    def propagate(self, attention: AttentionMatrix, nodes: tf.Tensor) -> tf.Tensor:
        """Returns e_{N_h} = Σ π′(h, r, t) e_t for the rows of `attention`, float[rows, d].

        The gradient reaches `nodes` by a product with the transpose, and the weights block by block; neither makes an
        E × d tensor.

        Args:
          attention: what `matrix` returned.
          nodes: e⁽ˡ⁻¹⁾, float[N, d].
        """

        @tf.custom_gradient
        def product(weights, nodes):
            def gradient(upstream):
                def block(i):
                    edges = slice(i * self.block_edges, tf.minimum((i + 1) * self.block_edges, num_edges))
                    head = tf.gather(upstream, self.heads[edges])
                    return tf.reduce_sum(head * tf.gather(nodes, self.tails[edges]), axis=-1)

                num_edges = tf.shape(weights)[0]
                blocks = concatenate_blocks(-(-num_edges // self.block_edges), block)
                return blocks, times(attention.transposed, upstream, self.num_nodes)

            return times(attention.matrix, nodes, attention.num_rows), gradient

        return product(attention.weights, nodes)


class RelationEdges:
    """Edges sorted by relation; within a relation they point at its distinct heads and tails, and come in blocks.

    Attributes:
      count: how many relations have edges; `group` takes 0 … count − 1.
      num_blocks: blocks of all relations.
    """

    def __init__(self, heads: np.ndarray, relations: np.ndarray, tails: np.ndarray, block_edges: int) -> None:
        present, starts, counts = np.unique(relations, return_index=True, return_counts=True)
        self.count = len(present)
        self._relations = tf.constant(present, tf.int32)
        self._offsets = tf.constant(np.append(starts, len(relations)), tf.int32)
        group = np.repeat(np.arange(self.count), counts)
        self._heads = _DistinctNodes(group, heads, self.count)
        self._tails = _DistinctNodes(group, tails, self.count)
        blocks = -(-counts // block_edges)
        self.num_blocks = int(blocks.sum())
        self._block_offsets = tf.constant(np.append(0, np.cumsum(blocks)), tf.int32)
        self._block_edges = block_edges

    def relation(self, group: Any) -> tf.Tensor:
        """Returns the id of the relation."""
        return self._relations[group]

    def nodes(self, group: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the relation's distinct heads and its distinct tails, int32[…] each."""
        return self._heads.nodes(group), self._tails.nodes(group)

    def positions(self, group: Any, block: Any = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns where in `nodes(group)` the head and the tail of each edge are, of one block or of all."""
        edges = slice(self._offsets[group], self._offsets[group + 1])
        if block is not None:
            start = self._offsets[group] + (block - self._block_offsets[group]) * self._block_edges
            edges = slice(start, tf.minimum(start + self._block_edges, self._offsets[group + 1]))
        return self._heads.positions[edges], self._tails.positions[edges]

    def edges(self, group: Any) -> slice:
        """Returns the slice of the relation's edges."""
        return slice(self._offsets[group], self._offsets[group + 1])

    def blocks(self, group: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the numbers of the relation's first block and of the next relation's."""
        return self._block_offsets[group], self._block_offsets[group + 1]


class _DistinctNodes:
    """The distinct nodes of each relation, and each edge's position among its relation's."""

    def __init__(self, group: np.ndarray, nodes: np.ndarray, count: int) -> None:
        width = int(nodes.max(initial=0)) + 1
        keys, inverse = np.unique(group.astype(np.int64) * width + nodes, return_inverse=True)
        offsets = np.searchsorted(keys // width, np.arange(count + 1))
        self.positions = tf.constant(inverse - offsets[group], tf.int32)
        self._nodes = tf.constant(keys % width, tf.int32)
        self._offsets = tf.constant(offsets, tf.int32)

    def nodes(self, group: Any) -> tf.Tensor:
        return self._nodes[self._offsets[group] : self._offsets[group + 1]]


def concatenate_blocks(num_blocks: Any, function: Callable[[Any], tf.Tensor]) -> tf.Tensor:
    """Returns the concatenation of function(0), …, function(num_blocks − 1), each float[n_i]."""
    _, parts = tf.while_loop(
        lambda i, _: i < num_blocks,
        lambda i, parts: (i + 1, parts.write(i, function(i))),
        (tf.constant(0), block_array(num_blocks)),
        parallel_iterations=1,
    )
    return parts.concat()


def block_array(num_blocks: Any) -> tf.TensorArray:
    """Returns an empty `tf.TensorArray` for the float[n_i] of `num_blocks` blocks."""
    return tf.TensorArray(tf.float32, size=num_blocks, infer_shape=False, element_shape=[None])
