"""Where a number comes from: the project's version and commit, the machine, the date."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib import metadata
from typing import Optional

from katrec import __version__


def version() -> dict[str, Optional[str]]:
    """Returns {"katrec": version, "commit": …}.

    The commit is that of the checkout that the code runs from, with "+changes" where tracked files differ from it;
    None outside a checkout.
    """
    return {"katrec": __version__, "commit": _commit()}


def _commit() -> Optional[str]:
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if not os.path.exists(os.path.join(folder, ".git")):
        return None
    try:
        command = ["git", "-C", folder, "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+changes"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


def machine() -> str:
    """Returns cores, processor, Python and TensorFlow in one line."""
    return (
        f"{os.cpu_count()} cores, {_processor()}; Python {platform.python_version()}; "
        f"TensorFlow {metadata.version('tensorflow')}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = {line.split(":", 1)[1].strip() for line in file if line.startswith("model name")}
        return ", ".join(sorted(names)) or platform.machine()
    except OSError:
        return platform.machine()


def today() -> str:
    """Returns the date, as in 2026-11-23."""
    return datetime.date.today().isoformat()
