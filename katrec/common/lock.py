"""One process at a time in a folder; a lock that its owner's death opens."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

from katrec.common.command_line import UserError

try:
    import fcntl
except ImportError:  # Windows: there two processes in one folder are not kept apart.
    fcntl = None  # type: ignore[assignment]

NAME = "owner.lock"


@contextlib.contextmanager
def owned(folder: str, doing: str) -> Iterator[None]:
    """Owns a folder within the block; the file owner.lock in it says who does, and stays when nobody does.

    The lock is the operating system's: it ends with the process however that ends.

    Args:
      folder: created when missing.
      doing: what the message of another process calls it, such as "trains in".

    Raises:
      UserError: another process owns it; names host and process.
    """
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, NAME)
    # Without a buffer, which would be written a second time when the file is closed on a full disk.
    with open(path, "a+b", buffering=0) as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                owner = file.read().decode("utf-8", "replace").strip() or "another process"
                raise UserError(
                    f"{folder}: {owner} {doing} it; wait until it ends, or stop it, or choose another folder"
                ) from None
        _name_owner(file, path)
        yield


def _name_owner(file, path):
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    except OSError as error:
        error.filename = path
        raise
