"""Where a file is written before it takes its place, and what killed writers left there."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import socket
from typing import Union

Path = Union[str, os.PathLike]
ENDING = ".unfinished"
_NUMBERS = itertools.count()


def new(path: Path) -> str:
    """Returns a name beside `path` that no other writer takes; what killed writers left beside it is removed first.

    Args:
      path: what will take its place; its folder is created.
    """
    path = os.path.abspath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    sweep(path)
    return f"{path}.{_host()}.{os.getpid()}.{next(_NUMBERS)}{ENDING}"


def sweep(path: Path) -> None:
    """Removes what processes of this machine that are gone were writing beside `path`."""
    folder, name = os.path.split(os.path.abspath(path))
    written = re.compile(re.escape(f"{name}.{_host()}.") + r"(\d+)\.\d+" + re.escape(ENDING))
    for found in filter(None, map(written.fullmatch, os.listdir(folder))):
        if not _alive(int(found.group(1))):
            remove(os.path.join(folder, found.group()))


def remove(path: Path) -> None:
    """Removes a file or a folder with all that is in it, where there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def to_disk(path: Path) -> None:
    """Waits until a file's bytes, or a folder's names, are on the disk, so that a power failure does not take them."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows cannot open a folder.
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _host():
    return re.sub(r"[^\w-]", "-", socket.gethostname())


def _alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
