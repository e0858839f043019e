"""Histories as text, and recommendations as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from katrec.serving.explanation import Explanation

Rows = Sequence[dict[str, Any]]
Explanations = Sequence[Optional["Explanation"]]


def as_table(rows: Rows, explanations: Explanations) -> str:
    """Returns lines with rank, score, item, title and whether it is cold; below each an explanation if there is one."""
    width = max([4, *(len(row["item"]) for row in rows)])
    lines = [f"{'rank':>4}  {'score':>9}  {'item':{width}}  title"]
    for row, explanation in zip(rows, explanations):
        note = "  (cold)" if row["cold"] else ""
        lines.append(f"{row['rank']:4}  {row['score']:9.4f}  {row['item']:{width}}  {row['title']}{note}")
        if explanation:
            lines += [f"      {line.strip()}" for line in explanation.text().splitlines()[1:]]
    return "\n".join(lines) + "\n"


def as_json(rows: Rows, explanations: Explanations) -> str:
    """Returns a JSON list, with paths and attention where there are explanations."""
    for row, explanation in zip(rows, explanations):
        if explanation:
            row["explanation"] = {
                "paths": [
                    {"weight": weight, "hops": [hop._asdict() for hop in hops]} for hops, weight in explanation.paths
                ],
                "attention": [{"item": name, "weight": weight} for name, weight in explanation.attention],
                "note": explanation.note,
            }
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def as_csv(rows: Rows, explanations: Explanations) -> str:
    """Returns CSV with a header; an explanation's text is its last column."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("rank", "item", "title", "score", "cold", *(("explanation",) if any(explanations) else ())))
    for row, explanation in zip(rows, explanations):
        writer.writerow(
            (
                row["rank"],
                row["item"],
                row["title"],
                f"{row['score']:.6g}",
                int(row["cold"]),
                *((explanation.text(),) if explanation else ()),
            )
        )
    return file.getvalue()


FORMATTERS = {"table": as_table, "json": as_json, "csv": as_csv}
