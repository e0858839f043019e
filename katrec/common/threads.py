"""How the processor's cores are shared between processes and their threads."""

from __future__ import annotations

import os

# TensorFlow reads them when it is imported.
THREAD_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
# Of NVIDIA, of AMD, and of either under Windows' Linux.
GRAPHICS_CARDS = ("/dev/nvidia0", "/dev/kfd", "/dev/dxg")
JOBS = "two, but one on one core or beside a graphics card, whose memory they would share."


def threads(number: int) -> dict[str, str]:
    """Returns the environment of a process that uses so many threads."""
    return dict.fromkeys(THREAD_VARIABLES, str(number))


def default_jobs() -> int:
    """Returns how many runs train at a time where nothing is said, see `JOBS`.

    Starting, tracing and small operations have one thread each, so that two runs end sooner than one after the other.
    """
    return 1 if os.cpu_count() in (None, 1) or any(map(os.path.exists, GRAPHICS_CARDS)) else 2
