"""RecBole's atomic files, so that any of its data sets can be prepared."""

from __future__ import annotations

from typing import Optional

from katrec.common.command_line import FlagError
from preprocess.sources import Options
from preprocess.tables import Tables, read_atomic


def load(name: str, raw_dir: Optional[str], options: Optional[Options] = None) -> Tables:
    """Reads `raw_dir`/`name`.inter, .kg, .link and, where there is one, .item.

    Raises:
      FlagError: no `raw_dir`.
      UserError: as `read_atomic`.
    """
    if raw_dir is None:
        raise FlagError("--source=atomic needs --raw_dir, the folder with NAME.inter, NAME.kg and NAME.link")
    return read_atomic(raw_dir, name, options.until if options else None)
