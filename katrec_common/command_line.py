"""How every command of the project starts, fails and ends.

Exit status: 0 done; 1 the input is wrong; 2 a flag is wrong; 130 interrupted. What is wrong is said in one line on
standard error, without a traceback.
"""

import os
import sys

from absl import app, flags


class UserError(Exception):
    """Wrong input. The message says what is wrong, where, and what to do, in one line."""


class FlagError(UserError):
    """A flag's value, or a combination of flags, is wrong."""


def run(main, positional=False):
    """Parses the flags and calls `main`; never returns.

    Args:
      main: function without arguments, or with `positional` of the list of those that are no flags; may raise
        `UserError`.
      positional: whether there may be such arguments.
    """
    app.run(
        lambda argv: _guarded(lambda: main(argv[1:]) if positional else main()),
        flags_parser=lambda argv: _parse_flags(argv, positional),
    )


def _parse_flags(argv, positional):
    try:
        remaining = flags.FLAGS(argv)
    except (flags.Error, OSError) as error:
        _stop(error, 2)
    if len(remaining) > 1 and not positional:
        _stop(f"unexpected argument {remaining[1]!r}; every setting is a flag, see --help", 2)
    return remaining


def _guarded(main):
    try:
        main()
    except FlagError as error:
        _stop(error, 2)
    except UserError as error:
        _stop(error, 1)
    except OSError as error:
        _stop(f"{error.filename}: {error.strerror}" if error.filename else error, 1)
    except KeyboardInterrupt:
        _stop("interrupted; the same command goes on from the last checkpoint, where there is one", 130)


def _stop(message, status):
    name = os.path.basename(sys.argv[0])
    print(f"{name}: error: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(status)
