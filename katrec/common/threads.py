"""How many threads a process's products use; TensorFlow reads these variables when it is imported."""

from __future__ import annotations

THREAD_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


def threads(number: int) -> dict[str, str]:
    """Returns the environment of a process that uses so many threads."""
    return dict.fromkeys(THREAD_VARIABLES, str(number))
