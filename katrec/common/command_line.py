"""How every command of the project starts, fails and ends.

Exit status: 0 done; 1 the input is wrong; 2 a flag is wrong; 130 stopped by Ctrl-C, 143 by SIGTERM. What is wrong is
said in one line on standard error, without a traceback.
"""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading
import types
import warnings
from collections.abc import Callable
from typing import NoReturn

from absl import flags

from katrec.common import interruption, quiet

# Names the environment variable of a command that another one started: it ends when its input does.
PARENT = "KATREC_ENDS_WITH_ITS_INPUT"
HELP_FLAGS = ("--help", "-help", "-h", "--helpfull", "--helpshort")


class UserError(Exception):
    """Wrong input. The message says what is wrong, where, and what to do, in one line."""


class FlagError(UserError):
    """A flag's value, or a combination of flags, is wrong."""


def run(main: Callable[..., None], flag_values: flags.FlagValues, positional: bool = False) -> NoReturn:
    """Parses the command line and calls `main`; never returns.

    Args:
      main: function without arguments, or with `positional` of the list of the arguments that are no flags; may raise
        `UserError`. Its module's docstring is the command's help.
      flag_values: the command's own flags, so that several commands can be imported in one process.
      positional: whether there may be such arguments.
    """
    module = sys.modules[main.__module__]
    interruption.listen()
    if os.environ.pop(PARENT, None):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    warnings.showwarning = _show_warning(warnings.showwarning)
    for stream in (sys.stdout, sys.stderr):
        # A title that the terminal cannot show is no reason to stop.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    flags.DEFINE_integer(
        "verbosity",
        None,
        f"How much of TensorFlow's own messages is shown: -2 none, -1 warnings, 0 information, 1 all. Default: what "
        f"{quiet.LEVEL} says, else -2.",
        lower_bound=-2,
        upper_bound=1,
        flag_values=flag_values,
    )
    try:
        status = _status(module, main, flag_values, positional)
        sys.stdout.flush()
    except BrokenPipeError:
        # A reader that has enough, such as `head`, is no error. What is left to write goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)


def _end_with_parent():
    """Ends this process when the one that started it is gone, at once: its last checkpoint is whole."""
    while os.read(sys.__stdin__.fileno(), 1):
        pass
    os._exit(interruption.STATUS[signal.SIGTERM])


def reason(error: BaseException) -> str:
    """Returns what an exception says, for a message: its first line, at most 200 characters; else its kind."""
    # TensorFlow puts {{names of its graph's nodes}} before what is wrong.
    lines = re.sub(r"^\{\{.*?\}\}\s*", "", str(error).strip()).splitlines()
    return lines[0][:200] if lines else type(error).__name__


def warn(message: str) -> None:
    """Says in one line on standard error that something may not be what the user wants."""
    print(f"warning: {' '.join(message.split())}", file=sys.stderr)


def _show_warning(others: Callable[..., None]) -> Callable[..., None]:
    """Returns how warnings are shown: the project's own in one line, others as Python does."""

    def show(message, category, *args, **kwargs):
        if category is UserWarning:
            warn(str(message))
        else:
            others(message, category, *args, **kwargs)

    return show


def _status(module, main, flag_values, positional):
    """Returns the exit status."""
    try:
        if any(argument in HELP_FLAGS for argument in sys.argv[1:]):
            print(help_text(module, flag_values))
            return 0
        remaining = _parsed(flag_values)
        quiet.set_verbosity(flag_values.verbosity)
        if remaining and not positional:
            raise FlagError(f"unexpected argument {remaining[0]!r}; every setting is a flag, see --help")
        main(*([remaining] if positional else []))
    except BaseException as error:
        # Whatever a library made of it: what was asked is told.
        if interruption.asked() is not None:
            return _said(module, _stopped(error), interruption.STATUS[interruption.asked()])
        if isinstance(error, (flags.Error, FlagError)):
            return _said(module, f"error: {error}", 2)
        if isinstance(error, UserError):
            return _said(module, f"error: {error}", 1)
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            where = f"{error.filename}: {error.strerror}" if error.filename else error
            return _said(module, f"error: {where}", 1)
        raise
    return 0


def _stopped(error):
    saved = str(error) if isinstance(error, interruption.Interrupted) else ""
    return saved or "interrupted; the same command goes on from the last checkpoint, where there is one"


def _parsed(flag_values):
    """Returns the arguments that are no flags.

    Raises:
      FlagError: a file of flags cannot be read, or a flag is not known.
    """
    try:
        return flag_values(sys.argv)[1:]
    except UnicodeDecodeError as error:
        raise FlagError(f"a --flagfile is not UTF-8 ({error.reason}); convert it, for example with iconv") from None
    except RecursionError:
        # absl looks for flags of a similar name, a call for each of its characters.
        raise FlagError("an unknown flag with a name of thousands of characters; see --help") from None


def help_text(module: types.ModuleType, flag_values: flags.FlagValues) -> str:
    """Returns the module's docstring and its flags; a console script stands there by its own name."""
    text = (module.__doc__ or "").replace(f"python -m {_module_name(module)}", _program(module))
    defined = [flag for flags_of in flag_values.flags_by_module_dict().values() for flag in flags_of]
    return f"{text.strip()}\n\nflags:\n" + "\n".join(map(_flag_help, defined))


def _flag_help(flag):
    choices = getattr(flag.parser, "enum_values", None)
    text, bounds = flag.help, getattr(flag.parser, "syntactic_help", "")
    if choices:
        # absl puts the choices before the text, without a place where a line may end.
        text = f"{text.split('>: ', 1)[-1]} One of: {', '.join(choices)}."
    elif bounds and isinstance(flag.parser, (flags.IntegerParser, flags.FloatParser)):
        text = f"{text} ({bounds})"
    if flag.default is not None:
        text = f"{text} Default: {flag.default_as_str}."
    lines = flags.text_wrap(text, length=110, indent="      ")
    return f"  --{'[no]' if flag.boolean else ''}{flag.name}\n{lines}"


def _module_name(module: types.ModuleType) -> str:
    specification = module.__spec__
    name = specification.name if specification else module.__name__
    return name[: -len(".__main__")] if name.endswith(".__main__") else name


def _program(module: types.ModuleType) -> str:
    """Returns how the running command is called: `python -m MODULE`, or the name of its console script."""
    name = os.path.basename(sys.argv[0])
    return f"python -m {_module_name(module)}" if name.endswith(".py") else name


def _said(module, message, status):
    """Says what is wrong in one line; returns the exit status."""
    print(f"{_program(module)}: {' '.join(str(message).split())}", file=sys.stderr)
    return status
