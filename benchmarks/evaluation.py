"""Sampled and full ranking of all users beside its bound.

python -m benchmarks.evaluation --dataset_like=amazon-book --scale=1 [--model=bert4rec] [--mixed_precision]
"""

import tensorflow as tf
from absl import flags

from benchmarks.bound import product_seconds, query_bound, random, scaled
from benchmarks.measure import report, resident_mib, seconds, total, traced_seconds
from benchmarks.synthetic import define, like
from katrec import flags as settings_flags
from katrec.common import command_line
from katrec.evaluation.ranking import BATCH_USERS, Evaluator
from katrec.models.build import build

FLAGS = flags.FlagValues()
define(FLAGS)
settings_flags.define(FLAGS)
REPEATS = 3


def main():
    settings = settings_flags.read(FLAGS)
    dataset = like(FLAGS.dataset_like, FLAGS.scale)
    model = build(settings, dataset)
    started = resident_mib()
    evaluator = Evaluator(model, dataset, "test", settings.num_negatives)
    rows = []
    for name, full in ((f"sampled, 1 + {settings.num_negatives} items", False), ("sampled and full", True)):
        timing = seconds(lambda full=full: evaluator.ranks(full), REPEATS)
        parts = evaluation_bound(model, evaluator, full)
        bound = total(parts.values())
        rows += [
            (f"{name}: {len(evaluator.users):,} users", timing, f"{timing.median / bound.median:.2f}"),
            ("bound", bound, 1),
        ]
    rows += [(f"– {name}", timing, "") for name, timing in parts.items()]
    rows.append(("memory held more than before the evaluator", f"{resident_mib() - started:.0f} MiB", ""))
    report(
        f"Evaluation, {settings.model} like {FLAGS.dataset_like}, scale {FLAGS.scale:g}, {model.precision}: "
        f"{dataset.num_items:,} items",
        rows,
    )


def evaluation_bound(model, evaluator, full):
    """Returns a dict of what ranking all users needs and its `Seconds`: of one batch of mean length, times the batches.

    Scores are one product, and one pass that compares.
    """
    parts = query_bound(model, BATCH_USERS, round(BATCH_USERS * float(evaluator.lengths().mean())))
    if full:
        scores = random((BATCH_USERS, model.num_items), tf.float32)
        q = model.special_tokens.shape[1]
        parts["scores of all items"] = product_seconds(tf.float32, BATCH_USERS, q, model.num_items)
        parts["comparing them"] = traced_seconds(
            lambda x: tf.math.count_nonzero(x < 0.5, axis=1, dtype=tf.int32), scores
        )
    return {name: scaled([timing], len(evaluator.users) / BATCH_USERS) for name, timing in parts.items()}


if __name__ == "__main__":
    command_line.run(main, FLAGS)
