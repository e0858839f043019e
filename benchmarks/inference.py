"""Recommending with an exported model: one user's latency, and users a second in batches, beside the bound.

  python -m benchmarks.inference --dataset_like=amazon-book --scale=1 [--model=bert4rec] [--mixed_precision]

A request is a string tensor of raw ids and ends with the recommended ids and scores in memory.
"""

import os
import tempfile

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks.bound import check_bounded, product_seconds, query_bound, random
from benchmarks.measure import elapsed, report, seconds, total, traced_seconds
from benchmarks.synthetic import define, like
from katrec import flags as settings_flags
from katrec.common import command_line, files
from katrec.models.build import build
from katrec.serving import saved_model
from katrec.serving.served import Served

FLAGS = flags.FlagValues()
flags.DEFINE_integer("requests", 1000, "Requests of one user each.", 10, flag_values=FLAGS)
define(FLAGS)
settings_flags.define(FLAGS)
BATCH, TOP = 512, 10


def main():
    settings = settings_flags.read(FLAGS)
    dataset = like(FLAGS.dataset_like, FLAGS.scale)
    model = build(settings, dataset)
    check_bounded(model, settings)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        size = export(model, dataset, path)
        loaded = tf.saved_model.load(path)
    signature = loaded.signatures["recommend"]
    offsets, items = dataset.histories("test")
    lengths = np.diff(offsets)

    def request(users):
        width = int(lengths[users].max())
        rows = [[str(item) for item in items[offsets[user] : offsets[user + 1]]] for user in users]
        inputs = {"history": tf.constant([row + [""] * (width - len(row)) for row in rows])}
        if "user" in signature.structured_input_signature[1]:
            inputs["user"] = tf.constant([str(user) for user in users])
        return inputs

    def answer(inputs):
        given = signature(k=tf.constant(TOP), **inputs)
        return given["items"].numpy(), given["scores"].numpy()

    generator = np.random.default_rng(0)
    many = generator.integers(dataset.num_users, size=BATCH)
    one = [request(generator.integers(dataset.num_users, size=1)) for _ in range(FLAGS.requests)]
    for inputs in one[:10]:
        answer(inputs)
    p50, p99 = (f"{np.percentile([elapsed(answer, inputs) for inputs in one], share) * 1e3:.2f}" for share in (50, 99))
    inputs = request(many)
    batch = seconds(lambda: answer(inputs))
    positions = int((np.minimum(lengths[many], model.history_length) + 1).sum())
    bound = inference_bound(model, BATCH, positions)
    rows = [
        ("one user, p50", p50, ""),
        ("one user, p99", p99, ""),
        (
            f"{BATCH} users, {positions:,} positions, longest history {lengths[many].max():,}",
            batch,
            f"{batch.median / bound.median:.2f}",
        ),
        ("bound", bound, 1),
        ("users a second", f"{BATCH / batch.median:,.0f}", ""),
        ("users a second by the bound", f"{BATCH / bound.median:,.0f}", ""),
        ("SavedModel", f"{size / 2**20:.1f} MiB", ""),
    ]
    report(
        f"SavedModel, {settings.model} like {FLAGS.dataset_like}, scale {FLAGS.scale:g}, {model.precision}: "
        f"top {TOP} of {dataset.num_items:,} items",
        rows,
    )


def export(model, dataset, path):
    """Returns the SavedModel's size in bytes."""
    ids = [np.arange(count).astype(str) for count in (dataset.num_items, dataset.num_users)]
    metadata = {"max_k": TOP, "items": dataset.num_items}
    popularity = np.bincount(dataset.items, minlength=dataset.num_items)
    items_file = os.path.join(os.path.dirname(path), "items.tsv")
    with files.replacing(items_file) as file:
        file.write("item_id\ttitle\n" + "".join(f"{item}\t\n" for item in ids[0]))
    return saved_model.write(Served(model, *ids, popularity, TOP, metadata), path, metadata, items_file)


def inference_bound(model, users, positions):
    """Returns the `Seconds` of the vectors (`query_bound`), of all scores and of finding the best."""
    best = traced_seconds(lambda x: tf.math.top_k(x, TOP).indices, random((users, model.num_items), tf.float32))
    scores = product_seconds(tf.float32, users, model.special_tokens.shape[1], model.num_items)
    return total([*query_bound(model, users, positions).values(), scores, best])


if __name__ == "__main__":
    command_line.run(main, FLAGS)
