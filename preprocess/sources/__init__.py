"""The kinds of raw data, each in a file of its own with a `load` that gives `preprocess.tables.Tables`."""

from __future__ import annotations

from typing import NamedTuple, Optional


class Options(NamedTuple):
    """What the command line tells a source beside the folder of its files.

    Attributes:
      kgat_dir: folder of the data set in KGAT's repository, or None.
      max_bad_rows: share of damaged rows that is passed over.
      min_interactions: k of the k-core.
    """

    kgat_dir: Optional[str] = None
    max_bad_rows: float = 0.001
    min_interactions: int = 10
