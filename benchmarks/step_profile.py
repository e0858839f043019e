"""Where a training step's time goes, operation by operation, as TensorFlow's profiler sees it.

  python -m benchmarks.step_profile --dataset_like=ml-100k --scale=1 --batch_size=64 [--mixed_precision] [--rows=25]

An operation's milliseconds are those of the thread that runs it, without what runs inside it; two threads' milliseconds
add up. Operations are told apart by type and by the part of the model whose name scope they are in.
"""

import collections
import glob
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

# What tf.function, gradients and loops put before the names of the layers.
_AROUND = re.compile(r"^(while(_\d+)?|body|cond|gradient_tape|StatefulPartitionedCall|_\d+|Adam|then|else)$")


def main():
    settings = settings_flags.read(FLAGS)
    dataset = like(FLAGS.dataset_like, FLAGS.scale)
    model, _, train = fixed_steps(settings, dataset)
    step = seconds(train, per_call=TRACED_STEPS)
    profile = profiled(train)
    spent = collections.Counter()
    calls = collections.Counter()
    for name, operation, milliseconds in profile:
        spent[part_of(name), operation] += milliseconds / TRACED_STEPS
        calls[part_of(name), operation] += 1
    whole = sum(spent.values())
    rows = [
        (*key, f"{milliseconds:.2f}", f"{milliseconds / whole:.1%}", f"{calls[key] / TRACED_STEPS:.0f}")
        for key, milliseconds in spent.most_common(FLAGS.rows)
    ]
    rows.append(("all", "all", f"{whole:.2f}", "100%", f"{sum(calls.values()) / TRACED_STEPS:.0f}"))
    report(
        f"Train step, {settings.model} like {FLAGS.dataset_like}, scale {FLAGS.scale:g}, {model.precision}: {step} ms "
        "without the profiler",
        rows,
        ("part", "operation", "milliseconds a step", "share", "calls a step"),
    )


def profiled(function):
    """Runs `function()` under the profiler; returns (name, operation, milliseconds) of each run of an operation."""
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
            found += own_times([(one.offset_ps, one.duration_ps, *names[one.metadata_id]) for one in line.events])
    return found


def own_times(events):
    """Returns (name, operation, milliseconds) of a thread's operations, each without the operations inside it."""
    operations = sorted(
        (start, -length, name, kind) for start, length, name, kind in events if name.endswith(f":{kind}")
    )
    found, open_ones = [], []
    for start, negative, name, kind in operations:
        while open_ones and open_ones[-1][0] <= start:
            open_ones.pop()
        if open_ones:
            found[open_ones[-1][1]][2] += negative / 1e9
        open_ones.append((start - negative, len(found)))
        found.append([name, kind, -negative / 1e9])
    return found


def part_of(name):
    """Returns the layer whose name scope an operation is in; "–" for what is in none."""
    scopes = [one for one in name.rsplit(":", 1)[0].split("/")[:-1] if not _AROUND.match(one)]
    return scopes[0] if scopes else "–"


if __name__ == "__main__":
    command_line.run(main, FLAGS)
