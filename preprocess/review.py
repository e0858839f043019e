"""What was lost on the way from the raw tables to the prepared data set, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

import numpy as np

from katrec.common.ids import alike

LARGE_SHARE = 0.5


def filter_warnings(report: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns a line for each filter that dropped more than half of what it was given.

    Args:
      report: rows with step, before, dropped and, where a flag decides it, flag.
    """
    lines = []
    for row in report:
        if row.get("before") and row["dropped"] > LARGE_SHARE * row["before"]:
            advice = f"; lower {row['flag']} to keep more" if "flag" in row else ""
            lines.append(f"{row['step']}: {row['dropped']:,} of {row['before']:,} were dropped{advice}")
    return lines


def graph_warnings(kept: Any, num_triplets: int) -> list[str]:
    """Returns a line for each way in which the graph and the items do not meet.

    Args:
      kept: the `preprocess.pipeline.Kept`.
      num_triplets: how many triplets were kept.
    """
    lines = []
    if kept.num_triplets:
        linked_items, entities = kept.linked
        linked = np.isin(kept.item_ids.astype(str), linked_items.astype(str)).mean()
        if linked < LARGE_SHARE:
            lines.append(
                f"{_share(linked)} of the {len(kept.item_ids):,} items have a link to the graph"
                + _example("the interactions", kept.item_ids, "the links", linked_items)
            )
        nodes = kept.nodes()
        met = np.isin(entities.astype(str), nodes.astype(str)).mean() if len(entities) else 0.0
        if met < LARGE_SHARE:
            lines.append(
                f"{_share(met)} of the {len(entities):,} linked entities are in a triplet"
                + _example("the links", entities, "the triplets", nodes)
            )
    if not num_triplets:
        given = f"none of the {kept.num_triplets:,} is left" if kept.num_triplets else "none was given"
        advice = "; lower --min_entity_count and --min_relation_count, or mend the ids" if kept.num_triplets else ""
        lines.append(
            f"the data set has no triplet: {given}{advice}; the baselines need none, KATRec refuses to train without"
        )
    return lines


def _share(share):
    return f"only {share:.0%}" if share else "none"


def _example(here: str, left: Iterable[Any], there: str, right: Iterable[Any]) -> str:
    """Returns an id that each side has alone, and a pair that means the same if there is one."""
    one, other = ({str(value) for value in values} for values in (left, right))
    alone, there_alone = sorted(one - other), sorted(other - one)
    if not other:
        return f"; {there} have none at all"
    if not alone or not there_alone:
        return ""
    text = f"; {here} have for example {alone[0]!r}, {there} {there_alone[0]!r}"
    pair = _look_alike(alone, there_alone)
    return text + (f"; {pair[0]!r} and {pair[1]!r} look like the same id" if pair else "")


def _look_alike(left: Sequence[str], right: Sequence[str]) -> Optional[tuple[str, str]]:
    seen = {alike(value): value for value in left}
    return next(((seen[alike(value)], value) for value in right if alike(value) in seen), None)


def summary(prepared: Any, num_rows: int) -> str:
    """Returns one line that says what the prepared data set holds.

    Args:
      prepared: the `preprocess.pipeline.Prepared`.
      num_rows: interactions that were read.
    """
    held_out = (prepared.valid >= 0).astype(int) + (prepared.test >= 0)
    lengths = np.diff(prepared.offsets) + held_out
    items = len(prepared.item_ids)
    in_graph = np.isin(np.arange(items), prepared.triplets[:, [0, 2]]).mean()
    return (
        f"{lengths.sum():,} of {num_rows:,} interactions kept: {len(lengths):,} users, {items:,} items"
        + (f", {len(prepared.cold):,} of them cold" if len(prepared.cold) else "")
        + "; "
        f"{len(prepared.triplets):,} triplets, {in_graph:.0%} of the items stand in one; histories of {lengths.min()} "
        f"to {lengths.max()} items, median {np.median(lengths):g}; {int((held_out == 0).sum()):,} users are too short "
        "to be evaluated"
    )
