"""Bounds: the bare products and passes that the mathematics needs, timed on tensors of its sizes.

Nothing is counted twice and nothing of what surrounds the products is counted: no activation functions, dropout, layer
norms, gathers, additions, clipping, tracing. A product's gradient is two products of the same size.
"""

import numpy as np
import tensorflow as tf

from benchmarks.measure import Seconds, seconds, total, traced_seconds
from katrec.common.command_line import FlagError
from katrec.models.transformer_model import TransformerModel


def check_bounded(model, settings):
    """Raises FlagError for a model that has no bound here."""
    if not isinstance(model, TransformerModel):
        raise FlagError(f"--model={settings.model}: the bound is that of katrec and bert4rec")


def step_bound(model, batch_size, length, num_predicted, matrices=None):
    """Returns a dict of what is needed and its `Seconds`.

    Args:
      model: KATRec or BERT4Rec.
      batch_size, length: of the sequences.
      num_predicted: positions of the batch that are predicted.
      matrices: KATRec's `graph_matrices()`.
    """
    q, kind = model.special_tokens.shape[1], tf.dtypes.as_dtype(model.precision)
    tokens, layers = batch_size * length, model.transformer.num_layers
    parts = {}
    if matrices is not None:
        parts.update(graph_bound(model, matrices))
        if model.fusion:
            # One product where both tables are the same.
            parts["fusion"] = product(kind, model.num_items, 2 * q if model.own_table else q, q)
        if model.graph_projection is not None:
            parts["E*W"] = product(tf.float32, model.num_items, q, q)
    if model.transformer.recurrent_inputs:
        # All positions' inputs at once, their states one after the other.
        parts["recurrent units"] = total([product(kind, tokens, q, 3 * q), product(kind, batch_size, q, 3 * q, length)])
    inner = model.transformer.layers[0].inner_factor * q
    # Of the last layer only keys and values are needed of every position.
    dense = [product(kind, tokens, q, 2 * q, layers)]
    for width in (q, q), (q, q), (q, inner), (inner, q):
        dense += product(kind, tokens, *width, layers - 1), product(kind, num_predicted, *width)
    parts["transformer's dense layers"] = total(dense)
    heads = model.transformer.layers[0].num_heads
    attended = [(length, layers - 1), (num_predicted // batch_size, 1)]
    parts["transformer's attention"] = total(
        [attention_product(kind, batch_size, heads, queries, length, q // heads, count) for queries, count in attended]
    )
    if model.head.transform:
        parts["head"] = product(kind, num_predicted, q, q)
    parts["scores"] = product(kind, num_predicted, q, model.num_items)
    parts["softmax over the items"] = traced_seconds(tf.nn.softmax, random((num_predicted, model.num_items), kind))
    trained = [*model.sequence_variables, *model.triplet_variables]
    parts["Adam"] = adam_bound(sum(int(np.prod(variable.shape)) for variable in trained))
    return parts


def query_bound(model, users, positions):
    """Returns a dict of what the vectors of `users` histories need, of so many `positions` together, and its `Seconds`.

    All layers but the last work on every position, the mask token's included; of the last one only keys and values do,
    its query and feed-forward part, and the head, on the last position alone.
    """
    q, kind = model.special_tokens.shape[1], tf.dtypes.as_dtype(model.precision)
    layer = ((q, 3 * q), (q, q), (q, 4 * q), (4 * q, q))
    last = ((q, q), *layer[1:], (q, q))
    whole = total([product_seconds(kind, positions, *width) for width in layer])
    return {
        "layers on all positions": scaled([whole], model.transformer.num_layers - 1),
        "last layer's keys and values": product_seconds(kind, positions, q, 2 * q),
        "last positions": total([product_seconds(kind, users, *width) for width in last]),
    }


def graph_bound(model, matrices):
    """Returns the sparse products, forward and backward, and the aggregators' products, of all propagation layers."""
    sparse, dense, width = [], [], model.encoder.nodes.shape[1]
    for matrix, aggregator in zip(matrices, model.encoder.aggregators):
        sizes = model.encoder.nodes.shape[0], matrix.num_rows
        for one, rows in ((matrix.matrix, sizes[0]), (matrix.transposed, sizes[1])):
            sparse.append(sparse_product(one, rows, width))
        dense.append(product(tf.float32, matrix.num_rows, width, aggregator.output_dim, 2))
        width = aggregator.output_dim
    return {"sparse products": total(sparse), "aggregators": total(dense)}


def sparse_product(matrix, rows, columns):
    """Returns the `Seconds` of a compressed sparse matrix times float[rows, columns]."""
    dense = tf.Variable(random((rows, columns), tf.float32))
    return seconds(lambda: tf.raw_ops.SparseMatrixMatMul(a=matrix, b=dense))


def product(kind, n, m, k, count=1):
    """Returns the `Seconds` of `count` products [n, m] [m, k] and of the two that their gradients need."""
    left, right, upstream = random((n, m), kind), random((m, k), kind), random((n, k), kind)
    timings = [
        product_seconds(kind, n, m, k),
        traced_seconds(lambda g, b: tf.matmul(g, b, transpose_b=True), upstream, right),
        traced_seconds(lambda a, g: tf.matmul(a, g, transpose_a=True), left, upstream),
    ]
    return scaled(timings, count)


def product_seconds(kind, n, m, k):
    """Returns the `Seconds` of a product [n, m] [m, k]."""
    return traced_seconds(tf.matmul, random((n, m), kind), random((m, k), kind))


def attention_product(kind, batch, heads, queries, length, size, count):
    """Returns the `Seconds` of the attention's two batched products and of the four that their gradients need."""
    query, key = random((batch, heads, queries, size), kind), random((batch, heads, length, size), kind)
    weights = random((batch, heads, queries, length), kind)
    timings = [
        traced_seconds(lambda a, b: tf.matmul(a, b, transpose_b=True), query, key),
        traced_seconds(tf.matmul, weights, key),
        traced_seconds(lambda a, b: tf.matmul(a, b, transpose_a=True), weights, query),
    ]
    return scaled(timings, 2 * count)


def adam_bound(parameters):
    """Returns the `Seconds` of TensorFlow's fused Adam on so many parameters at once."""
    variables = [tf.Variable(random((parameters,), tf.float32)) for _ in range(3)]
    gradient = tf.constant(random((parameters,), tf.float32))

    def step(_):
        tf.raw_ops.ResourceApplyAdam(
            var=variables[0].handle,
            m=variables[1].handle,
            v=variables[2].handle,
            beta1_power=0.9,
            beta2_power=0.999,
            lr=1e-3,
            beta1=0.9,
            beta2=0.999,
            epsilon=1e-6,
            grad=gradient,
        )

    return traced_seconds(step, np.zeros(1, np.float32))


def random(shape, kind):
    """Returns random numbers between 0 and 1."""
    return tf.cast(np.random.default_rng(0).random(shape, np.float32), kind)


def scaled(timings, count):
    """Returns the sum of several `Seconds`, `count` times."""
    return Seconds(*(value * count for value in total(timings)))
