"""The peak memory of a command and of all processes that it starts."""

import subprocess
import sys
import time

import psutil

from katrec.common.command_line import UserError

POLL_SECONDS = 0.25


def module(name, *arguments):
    """Runs `python -m NAME ARGUMENTS` to its end.

    Returns:
      Its seconds, the peak of the resident MiB of all its processes together, and {program: that of its largest one}.

    Raises:
      UserError: it fails; says the last line of its output.
    """
    started = time.perf_counter()
    command = [sys.executable, "-m", name, *arguments]
    child = psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peak, largest = 0, {}
    while True:
        try:
            output = child.communicate(timeout=POLL_SECONDS)[0]
            break
        except subprocess.TimeoutExpired:
            together = 0
            for program, size in _sizes(child):
                together += size
                largest[program] = max(largest.get(program, 0), size / 2**20)
            peak = max(peak, together / 2**20)
    if child.returncode:
        raise UserError(
            f"{' '.join(command[1:4])} …: failed: {output.splitlines()[-1] if output else child.returncode}"
        )
    return time.perf_counter() - started, peak, largest


def _sizes(child):
    for process in [child, *child.children(recursive=True)]:
        try:
            yield process.name(), process.memory_info().rss
        except psutil.Error:
            continue
