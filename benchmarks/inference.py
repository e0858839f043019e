"""Recommending: one user's latency, and users a second in batches, beside the bound.

  python -m benchmarks.inference --dataset_like=amazon-book --scale=1 [--model=bert4rec] [--mixed_precision]
"""

import time

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks.bound import product_seconds, query_bound, random
from benchmarks.measure import report, seconds, total, traced_seconds
from benchmarks.synthetic import like
from katrec import settings
from katrec.data.sequences import recent_items
from katrec.models.build import build
from katrec_common.command_line import run

FLAGS = flags.FLAGS
flags.DEFINE_integer("requests", 300, "Requests of one user each.", 10)
flags.adopt_module_key_flags(settings)
BATCH, TOP = 512, 10


def main():
    FLAGS.set_default("output_dir", "none")
    config = settings.from_flags()
    dataset = like(FLAGS.dataset_like, FLAGS.scale)
    model, _ = build(config, dataset)
    tables = tf.function(model.inference_tables)()

    @tf.function(reduce_retracing=True)
    def recommend(histories, users):
        vectors = model.next_item_vectors(histories, users, tables)
        return tf.math.top_k(tf.matmul(vectors, tables.outputs, transpose_b=True) + model.item_bias, TOP)

    def call(users):
        histories = recent_items(dataset.offsets, dataset.items, users, config.max_sequence_length - 1,
                                 model.tokens.padding)
        recommend(tf.constant(histories), tf.constant(users, tf.int32)).indices.numpy()

    generator = np.random.default_rng(0)
    one = [generator.integers(dataset.num_users, size=1) for _ in range(FLAGS.requests)]
    many = generator.integers(dataset.num_users, size=BATCH)
    for users in (*one[:3], many):
        call(users)
    latencies = [_elapsed(call, users) for users in one]
    batch = seconds(lambda: call(many))
    width = int(np.minimum(np.diff(dataset.offsets)[many], config.max_sequence_length - 1).max()) + 1
    bound = inference_bound(model, BATCH, width)
    p50, p99 = (f"{np.percentile(latencies, share) * 1e3:.2f}" for share in (50, 99))
    rows = [
        ("one user, p50", p50, ""), ("one user, p99", p99, ""),
        (f"{BATCH} users, {width} positions", batch, f"{batch.median / bound.median:.2f}"),
        ("bound", bound, 1), ("users a second", f"{BATCH / batch.median:,.0f}", ""),
    ]
    report(f"Inference, {config.model} like {FLAGS.dataset_like}, scale {FLAGS.scale:g}, {model.precision}: "
           f"top {TOP} of {dataset.num_items:,} items", rows)


def _elapsed(function, argument):
    started = time.perf_counter()
    function(argument)
    return time.perf_counter() - started


def inference_bound(model, users, length):
    """Returns the `Seconds` of the vectors (`query_bound`), of all scores and of finding the best."""
    best = traced_seconds(lambda x: tf.math.top_k(x, TOP).indices, random((users, model.num_items), tf.float32))
    scores = product_seconds(tf.float32, users, model.special_tokens.shape[1], model.num_items)
    return total([*query_bound(model, users, length).values(), scores, best])


if __name__ == "__main__":
    run(main)
