"""What the paper's three data sets share: interactions of a large file, and one of two graphs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional

import pandas as pd

from katrec.common.command_line import UserError
from preprocess.sources import Options, freebase, kb4rec, kgat
from preprocess.streaming import Damage, core, filtered, gathered
from preprocess.tables import Tables


def load(
    path: str,
    read: Callable[[str, Damage], Iterator[pd.DataFrame]],
    raw_dir: str,
    options: Options,
    links_name: Optional[str] = None,
    near: Optional[Sequence[tuple[str, Callable[[pd.DataFrame], Any]]]] = None,
) -> Tables:
    """Returns the tables of a data set.

    With `options.kgat_dir` the users and items of KGAT's lists are kept and the graph is kg_final's. Without, the
    k-core is kept, items are linked by KB4Rec and the graph is extracted from Freebase.

    Args:
      path: the interaction file.
      read: a function of a path and a `Damage`, which yields the file's frames.
      raw_dir: folder of the raw files.
      options: `Options`.
      links_name: name of KB4Rec's file for the data set, or None where it has none.
      near: filters that come before all others, a list of (step, function from a frame to bool[rows]).

    Raises:
      UserError: a file is missing or does not fit.
    """
    if options.kgat_dir is None and links_name is None:
        raise UserError(
            "this data set's graph is not Freebase: --kgat_dir is needed, the folder of the data set in "
            "KGAT's repository"
        )

    def frames(report):
        damage = Damage(path, options.max_bad_rows)
        rows = read(path, damage)
        for step, keep in near or []:
            rows = filtered(rows, keep, step, report)
        yield from rows
        report.insert(0, damage.check())

    report: list[dict[str, Any]] = []
    if options.kgat_dir is not None:
        graph = kgat.read(options.kgat_dir)
        rows = frames(report)
        for name, listed in (("user_id", graph.users), ("item_id", graph.items)):
            rows = filtered(rows, _listed(name, listed), f"interactions whose {name} KGAT lists", report)
        return Tables(gathered(rows), graph.triplets, graph.links, None, (path, *graph.files), tuple(report))
    links_path = os.path.join(raw_dir, str(links_name))
    links = kb4rec.read(links_path)
    interactions = gathered(core(frames, options.min_interactions, report))
    links = links[links["item_id"].isin(set(interactions["item_id"].cat.categories))].reset_index(drop=True)
    triplets, dump = freebase.extract(raw_dir, links["entity_id"])
    return Tables(interactions, triplets, links, None, (path, links_path, dump), tuple(report))


def _listed(name: str, ids: frozenset[str]) -> Callable[[pd.DataFrame], Any]:
    return lambda frame: frame[name].isin(ids)
