"""Where a training step's time goes, operation by operation, as TensorFlow's profiler sees it.

  python -m benchmarks.step_profile --dataset_like=ml-100k --scale=1 --batch_size=64 [--mixed_precision] [--rows=25]

An operation's milliseconds of threads are those of the thread that runs it, without what runs inside it; two threads'
milliseconds add up. Its milliseconds of the step add up to what the step takes: an instant is divided among the
operations that run in it. Operations are told apart by type and by the part of the model whose name scope they are in.
"""

import collections
import glob
import math
import os
import re
import tempfile

import tensorflow as tf
from absl import flags

from benchmarks.measure import report, seconds
from benchmarks.synthetic import define, like
from benchmarks.train_step import fixed_steps
from katrec import flags as settings_flags
from katrec.common import command_line
from katrec.training.trainer import TRACED_STEPS

FLAGS = flags.FlagValues()
flags.DEFINE_integer("rows", 25, "So many operations are listed, the longest first.", 1, flag_values=FLAGS)
define(FLAGS)
settings_flags.define(FLAGS)

PICOSECONDS = 1e9 * TRACED_STEPS  # in a millisecond of each step

# What tf.function, gradients and loops put before the names of the layers.
_AROUND = re.compile(r"^(while(_\d+)?|body|cond|gradient_tape|StatefulPartitionedCall|_\d+|Adam|then|else)$")


def main():
    settings = settings_flags.read(FLAGS)
    dataset = like(FLAGS.dataset_like, FLAGS.scale)
    model, _, train = fixed_steps(settings, dataset)
    step = seconds(train, per_call=TRACED_STEPS)
    profile = profiled(train)
    threads, shares, calls = collections.Counter(), collections.Counter(), collections.Counter()
    for (name, operation, own), part in zip(profile, shared([own for *_, own in profile])):
        key = part_of(name), operation
        threads[key] += sum(end - start for start, end in own) / PICOSECONDS
        shares[key] += part / PICOSECONDS
        calls[key] += 1 / TRACED_STEPS
    whole = sum(shares.values())
    rows = [
        (*key, f"{threads[key]:.2f}", f"{share:.2f}", f"{share / whole:.1%}", f"{calls[key]:.0f}")
        for key, share in shares.most_common(FLAGS.rows)
    ]
    rows.append(("all", "all", f"{sum(threads.values()):.2f}", f"{whole:.2f}", "100%", f"{sum(calls.values()):.0f}"))
    report(
        f"Train step, {settings.model} like {FLAGS.dataset_like}, scale {FLAGS.scale:g}, {model.precision}: {step} ms "
        "without the profiler",
        rows,
        ("part", "operation", "milliseconds of threads", "milliseconds of the step", "share", "calls a step"),
    )


def profiled(function):
    """Runs `function()` under the profiler; returns (name, operation, own intervals) of each run of an operation."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
        tf.profiler.experimental.start(folder, options)
        function()
        tf.profiler.experimental.stop()
        (path,) = glob.glob(os.path.join(folder, "**", "*.xplane.pb"), recursive=True)
        with open(path, "rb") as file:
            space = xplane_pb2.XSpace.FromString(file.read())
    found = []
    for plane in space.planes:
        names = {number: (one.name, one.display_name) for number, one in plane.event_metadata.items()}
        for line in plane.lines:
            began = line.timestamp_ns * 1000
            events = [(began + one.offset_ps, one.duration_ps, *names[one.metadata_id]) for one in line.events]
            found += own_intervals(events)
    return found


def own_intervals(events):
    """Returns (name, operation, intervals) of a thread's operations, the intervals without the operations inside it.

    Args:
      events: (start, length, name, operation) of whatever the thread ran.
    """
    operations = sorted(
        (start, -length, name, kind) for start, length, name, kind in events if name.endswith(f":{kind}")
    )
    found, running, since = [], [], 0
    for start, negative, name, kind in [*operations, (math.inf, 0, None, None)]:
        while running and running[-1][0] <= start:
            end, intervals = running.pop()
            intervals.append((since, end))
            since = end
        if running:
            running[-1][1].append((since, start))
        found.append((name, kind, []))
        running.append((start - negative, found[-1][2]))
        since = start
    return found[:-1]


def shared(runs):
    """Returns the time of each of several lists of intervals, where an instant is divided among those that it is in."""
    edges = []
    for run, own in enumerate(runs):
        for start, end in own:
            if end > start:
                edges += (start, 1, run), (end, -1, run)
    parts, running, before = [0.0] * len(runs), set(), 0
    for time, sign, run in sorted(edges):
        for one in running:
            parts[one] += (time - before) / len(running)
        (running.add if sign > 0 else running.remove)(run)
        before = time
    return parts


def part_of(name):
    """Returns the layer whose name scope an operation is in; "–" for what is in none."""
    scopes = [one for one in name.rsplit(":", 1)[0].split("/")[:-1] if not _AROUND.match(one)]
    return scopes[0] if scopes else "–"


if __name__ == "__main__":
    command_line.run(main, FLAGS)
