"""Ego networks and the attention over them (Section 3.2), on compressed sparse rows."""

import numpy as np
import tensorflow as tf

BLOCK_EDGES = 1 << 17


class EgoNetworks:
    """The neighbourhoods N_h of all nodes: the graph's edges in the orders that attention and propagation need.

    Parallel edges (same head and tail, another relation) are edges of their own.

    Args:
      heads, relations, tails: int[E], one entry an edge (h, r, t), in any order.
      num_nodes: N; nodes are 0 … N − 1.
      block_edges: how many edges are scored at a time; bounds the memory of attention at block_edges × k.

    Attributes:
      heads, tails: int32[E] in row order (by head, then relation, then tail).
      num_nodes: N.

    Raises:
      ValueError: an edge names a node outside 0 … N − 1.
    """

    def __init__(self, heads, relations, tails, num_nodes, block_edges=BLOCK_EDGES):
        if len(heads) and not 0 <= min(heads.min(), tails.min()) <= max(heads.max(), tails.max()) < num_nodes:
            raise ValueError(f"an edge names a node outside 0 … {num_nodes - 1}")
        order = np.lexsort((tails, relations, heads))
        heads, relations, tails = heads[order], relations[order], tails[order]
        self.num_nodes = num_nodes
        self.block_edges = block_edges
        self.heads = tf.constant(heads, tf.int32)
        self.tails = tf.constant(tails, tf.int32)
        self._shape = tf.constant([num_nodes, num_nodes], tf.int64)
        self._indices = tf.constant(np.stack([heads, tails], 1), tf.int64)
        transposed = np.lexsort((heads, tails))
        self._transposed_order = tf.constant(transposed, tf.int32)
        self._transposed_indices = tf.constant(np.stack([tails, heads], 1)[transposed], tf.int64)
        self._build_blocks(heads, relations, tails)

    def _build_blocks(self, heads, relations, tails):
        """Cuts the edges, ordered by relation, into blocks of one relation; lists each block's distinct nodes."""
        by_relation = np.argsort(relations, kind="stable")
        relations = relations[by_relation]
        starts = np.searchsorted(relations, relations)
        block = (np.arange(len(relations)) - starts) // self.block_edges
        new_block = np.ones(len(relations), bool)
        new_block[1:] = (relations[1:] != relations[:-1]) | (block[1:] != block[:-1])
        block = np.cumsum(new_block) - 1
        num_blocks = int(block[-1]) + 1 if len(block) else 0
        self.num_blocks = num_blocks
        self._block_relations = tf.constant(relations[new_block], tf.int32)
        self._block_offsets = tf.constant(np.searchsorted(block, np.arange(num_blocks + 1)), tf.int32)
        self._block_heads = _BlockNodes(block, heads[by_relation], num_blocks, self.num_nodes)
        self._block_tails = _BlockNodes(block, tails[by_relation], num_blocks, self.num_nodes)
        rows = np.empty(len(by_relation), np.int32)
        rows[by_relation] = np.arange(len(by_relation))
        self._row_order = tf.constant(rows)

    def logits(self, nodes, transr):
        """Returns π(h, r, t) = (Wʳe_t)ᵀ tanh(Wʳe_h + e_r) of every edge, float[E], in row order.

        Each distinct (node, relation) of a block is projected once; no d × k matrix is gathered for an edge.

        Args:
          nodes: e, float[N, d].
          transr: a built `TransR`.
        """
        def block_logits(i):
            relation = self._block_relations[i]
            projection = transr.projection[relation]
            heads = tf.tanh(tf.gather(nodes, self._block_heads.nodes(i)) @ projection + transr.relation[relation])
            tails = tf.gather(nodes, self._block_tails.nodes(i)) @ projection
            edges = slice(self._block_offsets[i], self._block_offsets[i + 1])
            head = tf.gather(heads, self._block_heads.positions[edges])
            return tf.reduce_sum(head * tf.gather(tails, self._block_tails.positions[edges]), axis=-1)

        return tf.gather(_concatenate_blocks(self.num_blocks, block_logits), self._row_order)

    def softmax(self, logits):
        """Returns π′: the softmax of `logits`, float[E] in row order, over the edges of each head."""
        peak = tf.math.unsorted_segment_max(logits, self.heads, self.num_nodes)
        weights = tf.exp(logits - tf.gather(tf.stop_gradient(peak), self.heads))
        total = tf.math.unsorted_segment_sum(weights, self.heads, self.num_nodes)
        return weights / tf.gather(total, self.heads)

    def matrices(self, weights):
        """Returns the N × N matrix of edge weights and its transpose, as sparse rows (variant scalars)."""
        csr = tf.raw_ops.SparseTensorToCSRSparseMatrix
        weights = tf.stop_gradient(weights)
        transposed = tf.gather(weights, self._transposed_order)
        return (
            csr(indices=self._indices, values=weights, dense_shape=self._shape),
            csr(indices=self._transposed_indices, values=transposed, dense_shape=self._shape),
        )

    def propagate(self, weights, matrices, nodes):
        """Returns e_{N_h} = Σ π′(h, r, t) e_t for every h, float[N, d].

        The gradient reaches `nodes` by a product with the transpose, and `weights` block by block; neither makes an
        E × d tensor.

        Args:
          weights: π′, float[E] in row order.
          matrices: what `matrices(weights)` returned.
          nodes: e⁽ˡ⁻¹⁾, float[N, d].
        """
        matrix, transposed = matrices

        @tf.custom_gradient
        def product(weights, nodes):
            def gradient(upstream):
                def block(i):
                    edges = slice(i * self.block_edges, (i + 1) * self.block_edges)
                    head = tf.gather(upstream, self.heads[edges])
                    return tf.reduce_sum(head * tf.gather(nodes, self.tails[edges]), axis=-1)

                blocks = -(-self.heads.shape[0] // self.block_edges)
                return _concatenate_blocks(blocks, block), _times(transposed, upstream)

            return _times(matrix, nodes), gradient

        return product(weights, nodes)


class _BlockNodes:
    """The distinct nodes of each block, and each edge's position among its block's."""

    def __init__(self, block, nodes, num_blocks, num_nodes):
        keys, inverse = np.unique(block.astype(np.int64) * num_nodes + nodes, return_inverse=True)
        offsets = np.searchsorted(keys // num_nodes, np.arange(num_blocks + 1))
        self.positions = tf.constant(inverse - offsets[block], tf.int32)
        self._nodes = tf.constant(keys % num_nodes, tf.int32)
        self._offsets = tf.constant(offsets, tf.int32)

    def nodes(self, i):
        return self._nodes[self._offsets[i]:self._offsets[i + 1]]


def _times(matrix, dense):
    product = tf.raw_ops.SparseMatrixMatMul(a=matrix, b=dense)
    return tf.ensure_shape(product, dense.shape)


def _concatenate_blocks(num_blocks, function):
    """Returns the concatenation of function(0), …, function(num_blocks − 1), each float[n_i]."""
    parts = tf.TensorArray(tf.float32, size=num_blocks, infer_shape=False, element_shape=[None])
    _, parts = tf.while_loop(
        lambda i, _: i < num_blocks,
        lambda i, parts: (i + 1, parts.write(i, function(i))),
        (tf.constant(0), parts),
        parallel_iterations=1,
    )
    return parts.concat()


class EgoNetworkAttention(tf.keras.layers.Layer):
    """The attention weights of every node's ego network (Section 3.2).

        π(h, r, t) = (Wʳe_t)ᵀ tanh(Wʳe_h + e_r)
        π′(h, r, t) = exp π(h, r, t) / Σ_{(h, r′, t′) ∈ N_h} exp π(h, r′, t′)

    Args:
      uniform: the ablation NoAttention (Section 4.2.5): every neighbour weighs 1 / |N_h|.

    Input: node embeddings float[N, d], an `EgoNetworks`, a built `TransR`.
    Output: π′, float[E], in the row order of the `EgoNetworks`.
    """

    def __init__(self, uniform=False, **kwargs):
        super().__init__(**kwargs)
        self.uniform = uniform

    def call(self, nodes, networks, transr):
        if self.uniform:
            return networks.softmax(tf.zeros_like(networks.heads, tf.float32))
        return networks.softmax(networks.logits(nodes, transr))

    def get_config(self):
        return {**super().get_config(), "uniform": self.uniform}
