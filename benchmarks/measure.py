"""Timing, peak memory, and the table that a benchmark prints."""

import resource
import shlex
import sys
import time
from typing import NamedTuple

import numpy as np
import psutil
import tensorflow as tf

from katrec.common import provenance
from katrec.layers.tracing import traced

WARM_UP = 2


class Seconds(NamedTuple):
    """Median, least and greatest of several repeats, in seconds."""

    median: float
    least: float
    greatest: float

    def __str__(self):
        return f"{self.median * 1e3:.1f} ({self.least * 1e3:.1f}–{self.greatest * 1e3:.1f})"


def seconds(function, repeats=7, per_call=1):
    """Times `function()`, after a warm-up; each repeat is divided by `per_call`."""
    for _ in range(WARM_UP):
        function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append((time.perf_counter() - started) / per_call)
    return Seconds(float(np.median(times)), min(times), max(times))


def elapsed(function, *arguments):
    """Returns the seconds of one call."""
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def traced_seconds(function, *arrays, repeats=7):
    """Times a function of tensors as TensorFlow runs it in a traced step; the arrays become variables."""
    variables = [tf.Variable(array) for array in arrays]
    return seconds(traced(lambda: function(*variables)), repeats)


def block_seconds(function, num_blocks, repeats=7):
    """Times function(i) for one of the blocks i = 0, 1, …, run one after the other in one traced loop.

    For what takes less than a call from Python. Its result must depend on i, or TensorFlow runs it once.
    """

    @traced
    def loop():
        # One number of each result is added up: what nothing reads is not computed.
        return tf.while_loop(
            lambda i, _: i < num_blocks,
            lambda i, used: (i + 1, used + tf.reshape(function(i), [-1])[0]),
            (tf.constant(0), tf.constant(0.0)),
            parallel_iterations=1,
        )

    return seconds(loop, repeats, num_blocks)


def total(timings):
    """Returns the sum of several `Seconds`."""
    return Seconds(*(float(sum(values)) for values in zip(*timings)))


def joined(timings):
    """Returns one `Seconds` of the same thing timed several times: the median of the medians, the ends of all."""
    medians, least, greatest = zip(*timings)
    return Seconds(float(np.median(medians)), min(least), max(greatest))


def peak_mib():
    """Returns the most memory that this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mib():
    """Returns the memory that this process holds now, in MiB."""
    return psutil.Process().memory_info().rss / 2**20


def report(title, rows, columns=("what", "milliseconds: median (range)", "times the bound")):
    """Prints a Markdown table and what it was measured on."""
    print(f"\n## {title}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    module = sys.modules["__main__"].__spec__.name
    print(
        f"\n`python -m {module} {shlex.join(sys.argv[1:])}`; {provenance.machine()}; {provenance.today()}; commit "
        f"{provenance.version()['commit']}; peak memory {peak_mib():.0f} MiB"
    )
