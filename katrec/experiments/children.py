"""Commands of the project as processes that do not outlive the one that started them."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from katrec.common.command_line import PARENT

WATCH_SECONDS = 1


class Children:
    """The processes that are running; to be used by several threads."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen] = set()
        self._lock = threading.Lock()
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def run(
        self,
        command: Sequence[str],
        environment: Optional[Mapping[str, str]] = None,
        output: Any = None,
        stop_when: Optional[Callable[[], bool]] = None,
    ) -> int:
        """Runs a command to its end; returns its exit status.

        Args:
          command: of this project.
          environment: variables that it has beside this process's.
          output: file that gets all it says; None for this process's own output.
          stop_when: asked each second; where it says so, the command saves what it has and ends.
        """
        with self._lock:
            if self._stopped:
                return 1
            # It reads its input, a pipe: that ends when this process does, however it does.
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env={**os.environ, **(environment or {}), PARENT: "1"},
            )
            self._running.add(child)
        try:
            return _wait(child, stop_when)
        except BaseException:
            child.terminate()
            child.wait()
            raise
        finally:
            with self._lock:
                self._running.discard(child)
            if child.stdin:
                child.stdin.close()

    def stop(self) -> None:
        """Asks all to save what they have and to end; later ones are not started."""
        with self._lock:
            self._stopped = True
            for child in self._running:
                child.terminate()


def _wait(child, stop_when):
    """Returns the exit status of a process."""
    while stop_when is not None:
        try:
            return child.wait(timeout=WATCH_SECONDS)
        except subprocess.TimeoutExpired:
            if stop_when():
                child.terminate()
                break
    return child.wait()
