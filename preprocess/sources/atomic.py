"""RecBole's atomic files, so that any of its data sets can be prepared."""

from katrec_common.command_line import FlagError
from preprocess.tables import read_atomic


def load(name, raw_dir, options=None):
    """Reads `raw_dir`/`name`.inter, .kg, .link and, where there is one, .item.

    Raises:
      FlagError: no `raw_dir`.
      UserError: as `read_atomic`.
    """
    if raw_dir is None:
        raise FlagError("--source=atomic needs --raw_dir, the folder with NAME.inter, NAME.kg and NAME.link")
    return read_atomic(raw_dir, name)
