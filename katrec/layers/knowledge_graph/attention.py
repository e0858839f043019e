"""Attention over ego networks (Section 3.2): each distinct (node, relation) pair is projected once."""

from __future__ import annotations

import tensorflow as tf

from katrec.layers.knowledge_graph.edges import EgoNetworks, RelationEdges, block_array
from katrec.layers.sparse_products import times, transposed


def ego_network_attention(
    networks: EgoNetworks, nodes: tf.Tensor, projection: tf.Tensor, relation: tf.Tensor
) -> tf.Tensor:
    """Returns the attention weights of every node's ego network (Section 3.2).

        π(h, r, t) = (Wʳe_t)ᵀ tanh(Wʳe_h + e_r)
        π′(h, r, t) = exp π(h, r, t) / Σ_{(h, r′, t′) ∈ N_h} exp π(h, r′, t′)

    Args:
      networks: the graph.
      nodes: e, float[N, d].
      projection: Wʳ, float[|R′|, d, k].
      relation: e_r, float[|R′|, k].

    Returns:
      π′, float[E], in the row order of `networks`.
    """
    logits = relation_logits(networks.by_relation, nodes, projection, relation)
    return networks.softmax(tf.gather(logits, networks.row_order))


def uniform_attention(networks: EgoNetworks) -> tf.Tensor:
    """Returns the weights of the ablation NoAttention (Section 4.2.5), 1 / |N_h| for every edge of h, float[E]."""
    return networks.softmax(tf.zeros_like(networks.heads, tf.float32))


def relation_logits(edges: RelationEdges, nodes: tf.Tensor, projection: tf.Tensor, relation: tf.Tensor) -> tf.Tensor:
    """Returns π(h, r, t) of edges sorted by relation.

    A relation's projections H = tanh(XₕWʳ + e_r) and T = XₜWʳ of its distinct heads and tails are made once; its edges
    are scored in blocks. The gradient makes them again, and is two sparse products with G, the relation's upstream
    gradients as a heads × tails matrix: ∂H = G T, ∂T = Gᵀ H. Memory is linear in the distinct nodes of one relation
    times k.

    Args:
      edges: `RelationEdges`.
      nodes: e, float[N, d].
      projection: Wʳ, float[|R′|, d, k].
      relation: e_r, float[|R′|, k].

    Returns:
      float[E].
    """

    @tf.custom_gradient
    def logits(nodes, projection, relation):
        def projected(group):
            heads, tails = (tf.gather(nodes, ids) for ids in edges.nodes(group))
            kernel = projection[edges.relation(group)]
            return heads, tails, kernel, tf.tanh(heads @ kernel + relation[edges.relation(group)]), tails @ kernel

        def score(group, parts):
            *_, heads, tails = projected(group)
            first, end = edges.blocks(group)

            def block(i, parts):
                head, tail = edges.positions(group, i)
                return i + 1, parts.write(i, tf.reduce_sum(tf.gather(heads, head) * tf.gather(tails, tail), axis=-1))

            return group + 1, tf.while_loop(lambda i, _: i < end, block, (first, parts), parallel_iterations=1)[1]

        def gradient(upstream):
            upstream = tf.convert_to_tensor(upstream)

            def add(group, to_nodes, to_projection, to_relation):
                head_nodes, tail_nodes, kernel, heads, tails = projected(group)
                sparse = tf.raw_ops.SparseTensorToCSRSparseMatrix(
                    indices=tf.cast(tf.stack(edges.positions(group), axis=1), tf.int64),
                    values=upstream[edges.edges(group)],
                    dense_shape=tf.stack([tf.shape(heads, tf.int64)[0], tf.shape(tails, tf.int64)[0]]),
                )
                to_heads = times(sparse, tails) * (1 - tf.square(heads))
                to_tails = times(transposed(sparse), heads)
                for ids, to_ids in zip(edges.nodes(group), (to_heads, to_tails)):
                    product = tf.matmul(to_ids, kernel, transpose_b=True)
                    to_nodes = tf.tensor_scatter_nd_add(to_nodes, ids[:, None], product)
                to_kernel = tf.matmul(head_nodes, to_heads, transpose_a=True)
                to_kernel += tf.matmul(tail_nodes, to_tails, transpose_a=True)
                place = edges.relation(group)[None, None]
                to_projection = tf.tensor_scatter_nd_update(to_projection, place, to_kernel[None])
                to_relation = tf.tensor_scatter_nd_update(to_relation, place, tf.reduce_sum(to_heads, axis=0)[None])
                return group + 1, to_nodes, to_projection, to_relation

            zeros = [tf.zeros_like(tensor) for tensor in (nodes, projection, relation)]
            return _over_relations(edges, add, zeros)

        (parts,) = _over_relations(edges, score, [block_array(edges.num_blocks)])
        return parts.concat(), gradient

    return logits(*map(tf.convert_to_tensor, (nodes, projection, relation)))


def _over_relations(edges, body, state):
    _, *state = tf.while_loop(
        lambda group, *_: group < edges.count, body, (tf.constant(0), *state), parallel_iterations=1
    )
    return state
