"""The graph's part of KATRec: propagation, and the refresh of the attention, each beside its bound; TransR's step.

python -m benchmarks.propagation --dataset_like=amazon-book --scale=1
"""

import tensorflow as tf
from absl import flags

from benchmarks.bound import product_seconds, random, scaled, sparse_product
from benchmarks.measure import block_seconds, report, seconds, total, traced_seconds
from benchmarks.synthetic import define, like
from katrec import flags as settings_flags
from katrec.common import command_line
from katrec.layers.tracing import traced
from katrec.models.build import build
from katrec.training.batches import triplet_batches
from katrec.training.optimizers import WarmupLinearDecay, adam, create_variables
from katrec.training.pretraining import TRACED_STEPS
from katrec.training.step import triplet_step

FLAGS = flags.FlagValues()
define(FLAGS)
settings_flags.define(FLAGS)


def main():
    settings = settings_flags.read(FLAGS)
    model = build(settings, like(FLAGS.dataset_like, FLAGS.scale))
    graph = model.graph
    rows = [*_propagation(model), *_triplet_step(model, settings), *_refresh(model), *_differentiable(model)]
    report(
        f"Graph like {FLAGS.dataset_like}, scale {FLAGS.scale:g}: {graph.num_nodes:,} nodes, "
        f"{len(graph.heads):,} edges",
        rows,
    )


def _propagation(model):
    """e_N of all nodes and its gradient, of one layer as wide as the nodes."""
    nodes = tf.convert_to_tensor(model.encoder.nodes)

    def forward(attention):
        return model.encoder.networks.propagate(attention, nodes)

    def forward_and_backward(attention):
        with tf.GradientTape() as tape:
            tape.watch(nodes)
            ego = forward(attention)
        return tape.gradient(ego, nodes, output_gradients=nodes)

    def build_matrices():
        return model.encoder.networks.matrix(model.attention_weights)

    attention = build_matrices()
    products = [sparse_product(matrix, *nodes.shape) for matrix in (attention.matrix, attention.transposed)]
    rows = []
    for function, bound in ((forward, products[0]), (forward_and_backward, total(products))):
        # A sparse matrix cannot be handed to a traced function from outside.
        timing = seconds(traced(lambda function=function: function(build_matrices())))
        name = f"propagation {function.__name__.replace('_', ' ')}, {nodes.shape[1]} columns, and making its matrices"
        rows += [(name, timing, f"{timing.median / bound.median:.2f}"), ("bound: the bare sparse products", bound, 1)]
    return [*rows, ("making both matrices, in training once for several steps", seconds(build_matrices), "")]


def _triplet_step(model, settings):
    """TransR's step as the pre-training makes it, many in one traced call."""
    optimizer = adam(WarmupLinearDecay(settings.learning_rate, 0, settings.train_steps))
    create_variables(optimizer, model.triplet_variables)
    strategy = tf.distribute.get_strategy()
    (triplets,) = next(triplet_batches(model.graph, settings.kg_batch_size, [settings.seed], 0))

    @tf.function
    def steps():
        done = 0.0
        for _ in tf.range(TRACED_STEPS):
            done += triplet_step(model, optimizer, triplets, settings.clip_norm, strategy, entities_only=True)[0]
        return done

    timing = seconds(lambda: steps().numpy(), per_call=TRACED_STEPS)
    return [(f"TransR's step on {len(triplets):,} triplets", timing, "")]


def _refresh(model):
    refresh = seconds(model.refresh_attention)
    bound = refresh_bound(model)
    whole = total(bound.values())
    return [
        ("attention refresh", refresh, f"{refresh.median / whole.median:.2f}"),
        ("bound", whole, 1),
        *((f"– {name}", timing, "") for name, timing in bound.items()),
    ]


def refresh_bound(model):
    """Returns a dict of what π′ of every edge needs, and its `Seconds`.

    Each distinct (node, relation) is projected once, each edge reads two vectors of k and multiplies them, and the
    softmax passes over the edges' logits: maximum, exponential, sum, quotient.
    """
    edges, networks = model.encoder.networks.by_relation, model.encoder.networks
    heads, tails = (sum(int(edges.nodes(group)[side].shape[0]) for group in range(edges.count)) for side in (0, 1))
    d, k = model.encoder.transr.projection.shape[1:]
    # The whole blocks of the relation with most edges stand for all.
    largest = max(range(edges.count), key=lambda group: int(edges.positions(group)[0].shape[0]))
    block = min(networks.block_edges, int(edges.positions(largest)[0].shape[0]))
    num_blocks = int(edges.positions(largest)[0].shape[0]) // block
    tables = [tf.Variable(random((int(ids.shape[0]), k), tf.float32)) for ids in edges.nodes(largest)]
    vectors = tf.Variable(random((num_blocks * block, k), tf.float32))

    def part(array, i):
        return array[i * block : (i + 1) * block]

    gathers = [
        block_seconds(lambda i, table=table, places=places: tf.gather(table, part(places, i)), num_blocks)
        for table, places in zip(tables, edges.positions(largest))
    ]
    dot = block_seconds(lambda i: tf.reduce_sum(part(vectors, i) * part(vectors, i), axis=-1), num_blocks)
    blocks = int(networks.heads.shape[0]) / block
    logits, ids = random(networks.heads.shape, tf.float32), networks.heads
    return {
        f"projections of {heads + tails:,} pairs": product_seconds(tf.float32, heads + tails, d, k),
        "tanh": traced_seconds(tf.tanh, random((heads, k), tf.float32)),
        "two vectors an edge": scaled(gathers, blocks),
        "their products": scaled([dot], blocks),
        "softmax": total(
            [
                traced_seconds(lambda x: tf.math.segment_max(x, ids), logits),
                traced_seconds(tf.exp, logits),
                traced_seconds(lambda x: tf.math.segment_sum(x, ids), logits),
                traced_seconds(lambda x: x / x, logits),
            ]
        ),
    }


def _differentiable(model):
    """π′ and its gradient to nodes and relations, as each step computes it with --attention=differentiable."""
    variables = [model.encoder.nodes, *model.encoder.transr.trainable_variables]

    @traced
    def gradients():
        with tf.GradientTape() as tape:
            weights = model.encoder.current_attention()
        return tape.gradient(weights, variables, output_gradients=weights)

    return [("attention with its gradient (--attention=differentiable)", seconds(gradients, repeats=3), "")]


if __name__ == "__main__":
    command_line.run(main, FLAGS)
