"""TensorFlow's own messages: hidden unless TF_CPP_MIN_LOG_LEVEL or a command's --verbosity asks for them."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from typing import Any

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # Of TensorFlow's C++ part: 0 shows everything, 3 hides all but fatal errors.
# By --verbosity, which counts as absl does for Python's messages.
LEVELS = {-2: "3", -1: "1", 0: "0", 1: "0"}
# TensorFlow 2.16 and later write this while they are loaded, whatever the level: I0000 00:00:1795646544.6 12 port.cc
_WHILE_LOADED = re.compile(
    rb"(WARNING: All log messages before absl::Init|[IWE]\d{4} \d\d:\d\d:\d+|To enable the following)"
)


def when_tensorflow_is_imported() -> None:
    """Hides what TensorFlow says by itself: at its import, and later where the environment does not say how much."""
    os.environ.setdefault(LEVEL, LEVELS[-2])
    sys.meta_path.insert(0, _Finder())


def set_verbosity(verbosity: int | None) -> None:
    """Shows more or fewer of TensorFlow's messages, here and in the processes that this one starts; before its import.

    Args:
      verbosity: -2 for none but fatal errors, -1 with warnings, 0 with information, 1 with all; None for what the
        environment says.
    """
    from absl import logging as absl_logging
    from absl.logging import converter

    if verbosity is None:
        verbosity = {"0": 0, "1": -1}.get(os.environ.get(LEVEL, ""), -2)
    else:
        os.environ[LEVEL] = LEVELS[verbosity]
    absl_logging.set_verbosity(verbosity)
    logging.getLogger("tensorflow").setLevel(converter.absl_to_standard(verbosity))


class _Finder:
    """Finds TensorFlow as Python does, once, so that its import is a quiet one."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None and os.environ.get(LEVEL, "0") != "0":
            execute = spec.loader.exec_module

            def quietly(module):
                with _without_messages_of_loading():
                    execute(module)

            setattr(spec.loader, "exec_module", quietly)  # noqa: B010 (mypy: a method)
        return spec


@contextlib.contextmanager
def _without_messages_of_loading() -> Iterator[None]:
    """Holds back what is written to standard error, and then writes what is not of TensorFlow's loading."""
    try:
        standard_error = os.dup(2)
    except OSError:
        # A service may have closed it: there is nobody to hide a message from.
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
            held.seek(0)
            for line in held:
                if not _WHILE_LOADED.match(line):
                    os.write(2, line)
