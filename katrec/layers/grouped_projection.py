"""Vectors projected by the matrix of their relation, without a copy of that matrix for each of them."""

from __future__ import annotations

import tensorflow as tf

BLOCK_ROWS = 32


def project(vectors: tf.Tensor, relations: tf.Tensor, projection: tf.Tensor, block_rows: int = BLOCK_ROWS) -> tf.Tensor:
    """Returns x Wʳ for each of a row's vectors x, float[n, m, k].

    Rows of one relation are brought together in blocks, the last of a relation filled up with zeros. A block reads Wʳ
    once, and gives one part of its gradient: there are n / `block_rows` + |R′| blocks at most, where a product a row
    would read n matrices and make n gradients of their size.

    Args:
      vectors: float[n, m, d].
      relations: int[n], 0 … |R′| − 1.
      projection: Wʳ for every relation, float[|R′|, d, k]; it multiplies row vectors.
      block_rows: rows in a block.
    """
    num_relations, entity_dim, relation_dim = projection.shape
    num_vectors = vectors.shape[1]
    relations = tf.cast(relations, tf.int32)
    counts = tf.math.unsorted_segment_sum(tf.ones_like(relations), relations, num_relations)
    blocks = -(-counts // block_rows)
    relation_of = tf.repeat(tf.range(num_relations), blocks)
    # A row's place: the first of its relation's blocks, and how many of its relation come before it.
    order = tf.argsort(relations, stable=True)
    ordered = tf.gather(relations, order)
    before = tf.range(tf.shape(order)[0]) - tf.gather(tf.cumsum(counts, exclusive=True), ordered)
    places = tf.gather(tf.cumsum(blocks, exclusive=True), ordered) * block_rows + before
    places = tf.scatter_nd(order[:, None], places, tf.shape(order))
    num_places = tf.shape(relation_of) * block_rows

    def in_blocks(rows):
        width = rows.shape[2]
        placed = tf.scatter_nd(places[:, None], rows, tf.concat([num_places, [num_vectors, width]], axis=0))
        return tf.reshape(placed, [-1, block_rows * num_vectors, width])

    def of_rows(placed):
        return tf.gather(tf.reshape(placed, [-1, num_vectors, placed.shape[2]]), places)

    @tf.custom_gradient
    def product(vectors, projection):
        placed, kernels = in_blocks(vectors), tf.gather(projection, relation_of)

        def gradient(upstream):
            upstream = in_blocks(upstream)
            of_blocks = tf.matmul(placed, upstream, transpose_a=True)
            to_projection = tf.math.unsorted_segment_sum(of_blocks, relation_of, num_relations)
            return of_rows(tf.matmul(upstream, kernels, transpose_b=True)), to_projection

        return of_rows(tf.matmul(placed, kernels)), gradient

    return product(vectors, tf.convert_to_tensor(projection))
