"""What a measurement was made on."""

import datetime
import os
import platform
from importlib import metadata


def machine():
    """Returns cores, processor, Python and TensorFlow in one line."""
    return (
        f"{os.cpu_count()} cores, {_processor()}; Python {platform.python_version()}; "
        f"TensorFlow {metadata.version('tensorflow')}"
    )


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = {line.split(":", 1)[1].strip() for line in file if line.startswith("model name")}
        return ", ".join(sorted(names)) or platform.machine()
    except OSError:
        return platform.machine()


def today():
    """Returns the date, as in 2026-11-23."""
    return datetime.date.today().isoformat()
