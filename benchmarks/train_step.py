"""A training step of KATRec or BERT4Rec beside its bound.

  python -m benchmarks.train_step --dataset_like=amazon-book --scale=1 --batch_size=128 --mask_share=0.4 \\
      --last_item_share=0 [--mixed_precision] [--steps=1000]

All sequences are as long as the model reads. "times the bound" is the median of the rounds, each of them a step and the
bound timed after it, and in brackets the least and the greatest. With --steps more are run after the timing, to see
whether memory grows.
"""

import time

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks.bound import check_bounded, step_bound
from benchmarks.measure import joined, report, resident_mib, seconds, total
from benchmarks.synthetic import define, like
from katrec import flags as settings_flags
from katrec.common import command_line
from katrec.models.build import build
from katrec.training.batches import Batches
from katrec.training.step import TrainSteps
from katrec.training.trainer import TRACED_STEPS

FLAGS = flags.FlagValues()
flags.DEFINE_integer(
    "rounds", 3, "The step and its bound are timed in turns, so often; a machine's speed changes.", 1, flag_values=FLAGS
)
flags.DEFINE_integer("steps", 0, "Further steps, for the memory.", 0, flag_values=FLAGS)
define(FLAGS)
settings_flags.define(FLAGS)


def main():
    settings = settings_flags.read(FLAGS)
    dataset = like(FLAGS.dataset_like, FLAGS.scale)
    model, pipeline, train = fixed_steps(settings, dataset)
    check_bounded(model, settings)
    length = settings.max_sequence_length
    predicted = length if model.objective.causal else max(1, round(settings.mask_share * length))
    num_predicted = predicted * settings.batch_size
    steps, bounds = [], []
    for _ in range(FLAGS.rounds):
        steps.append(seconds(train, per_call=TRACED_STEPS))
        bounds.append(step_bound(model, settings.batch_size, length, num_predicted, model.graph_matrices()))
    ratios = [step.median / total(bound.values()).median for step, bound in zip(steps, bounds)]
    ratio = f"{np.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    step, bound = joined(steps), joined([total(bound.values()) for bound in bounds])
    parts = {name: joined([one[name] for one in bounds]) for name in bounds[0]}
    made = pipeline.from_step(0)
    waiting = seconds(lambda: [next(made) for _ in range(50)], per_call=50)
    rows = [(f"step, {model.precision}", step, ratio), ("bound", bound, 1)]
    rows += [(f"– {name}", timing, "") for name, timing in parts.items()]
    rows.append(("a batch of the input pipeline, alone", waiting, f"{waiting.median / step.median:.2f} steps"))
    if FLAGS.steps:
        rows += _memory(train)
    graph = model.graph
    edges = f", {len(graph.heads):,} edges" if graph else ""
    report(
        f"Train step, {settings.model} like {FLAGS.dataset_like}, scale {FLAGS.scale:g}: {dataset.num_items:,} items"
        f"{edges}, {num_predicted:,} predicted positions",
        rows,
    )


def fixed_steps(settings, dataset):
    """Returns a model, its `Batches`, and a function that trains it for TRACED_STEPS steps on one full batch."""
    model = build(settings, dataset)
    pipeline = Batches(dataset, model, settings)
    steps = TrainSteps(model, settings, tf.distribute.get_strategy())
    shape = settings.batch_size, model.history_length + 1
    sequences = np.random.default_rng(1).integers(dataset.num_items, size=shape, dtype=np.int32)
    _, users, negatives, triplets = next(pipeline.from_step(0))
    fixed = sequences, tf.zeros_like(users), negatives, triplets
    batches = iter(tf.data.Dataset.from_tensors(fixed).repeat())
    return model, pipeline, lambda: steps(batches, 0, TRACED_STEPS)


def _memory(train):
    """Runs `--steps` steps; returns rows with the memory held after each quarter."""
    rows, started = [], time.monotonic()
    for quarter in range(1, 5):
        for _ in range(FLAGS.steps // TRACED_STEPS // 4):
            train()
        done = FLAGS.steps // TRACED_STEPS // 4 * TRACED_STEPS * quarter
        rows.append(
            (f"memory after {done} more steps", f"{resident_mib():.0f} MiB", f"{time.monotonic() - started:.0f} s")
        )
    return rows


if __name__ == "__main__":
    command_line.run(main, FLAGS)
