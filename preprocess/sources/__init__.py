"""The kinds of raw data, each in a file of its own with a `load` that gives `preprocess.tables.Tables`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Optional


class Options(NamedTuple):
    """What the command line tells a source beside the folder of its files.

    Attributes:
      kgat_dir: folder of the data set in KGAT's repository, or None.
      max_bad_rows: share of damaged rows that is passed over.
      min_interactions: k of the k-core.
      files: {"interactions": path, …} of --source=tables.
      columns: {flag: the user's column name} of --source=tables, those that were given.
      until: interactions from this time on are left out; None for none.
    """

    kgat_dir: Optional[str] = None
    max_bad_rows: float = 0.001
    min_interactions: int = 10
    files: Mapping[str, str] = {}
    columns: Mapping[str, str] = {}
    until: Optional[str] = None
