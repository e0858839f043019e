"""Ctrl-C and SIGTERM, so that a command ends with one line and loses nothing."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Optional

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; the message says what was saved and how to go on."""


class _Asked:
    """What this process was asked: `number` is the first signal, `held` how many blocks want to end by themselves."""

    number: Optional[int] = None
    held = 0


def listen() -> None:
    """Makes Ctrl-C and SIGTERM raise `Interrupted` in this process, which a command is."""
    for number in STATUS:
        signal.signal(number, _handle)


def asked() -> Optional[int]:
    """Returns which signal asked this process to stop, or None. Libraries may have swallowed the exception."""
    return _Asked.number


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Within the block a signal raises nothing: the block looks at `asked` where it can end, and raises `Interrupted`.

    A second Ctrl-C raises at once. Called from Python, Ctrl-C alone is held, SIGTERM does what it did; in a thread that
    is not the main one signals do what they did.
    """
    own = _own_handler()
    _Asked.held += 1
    try:
        yield
    finally:
        _Asked.held -= 1
        if own:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _Asked.number = None


def _own_handler():
    """Listens to Ctrl-C where Python's own handler does; returns whether it does."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    try:
        signal.signal(signal.SIGINT, _handle)
    except ValueError:  # not the main thread
        return False
    return True


def _handle(number: int, frame: Optional[FrameType]) -> None:
    again = _Asked.number is not None
    _Asked.number = _Asked.number or number
    # One that ends already is not disturbed, but by a person who has waited enough.
    if (again and number == signal.SIGINT) or not (again or _Asked.held):
        raise Interrupted
