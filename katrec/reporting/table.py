"""Tables that are written as Markdown and as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple, Union

MARKDOWN = {"": "{}", "best": "**{}**", "second": "<u>{}</u>"}
HTML = {"": "{}", "best": "<b>{}</b>", "second": "<u>{}</u>"}


class Cell(NamedTuple):
    """A cell's text, and whether it is the "best" or the "second" of its row."""

    text: str
    mark: str = ""


class Table(NamedTuple):
    """A table under a title; cells are texts or `Cell`s."""

    title: str
    header: list[str]
    rows: Sequence[Sequence[Union[str, Cell]]]

    def markdown(self) -> str:
        """Returns the title as a heading and the table."""
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        text = "\n".join(f"| {' | '.join(_rendered(cell, MARKDOWN, str) for cell in line)} |" for line in lines)
        return f"## {self.title}\n\n{text}\n"

    def html(self) -> str:
        """Returns the title as a heading and the table."""
        header = "".join(f"<th>{html.escape(cell)}</th>" for cell in self.header)
        rows = "".join(
            f"<tr>{''.join(f'<td>{_rendered(cell, HTML, html.escape)}</td>' for cell in row)}</tr>\n"
            for row in self.rows
        )
        return f"<h3>{html.escape(self.title)}</h3>\n<table><tr>{header}</tr>\n{rows}</table>\n"


def _rendered(cell, marks, escape):
    cell = cell if isinstance(cell, Cell) else Cell(cell)
    return marks[cell.mark].format(escape(cell.text))


def ranked(texts: Sequence[str], values: Sequence[float]) -> list[Cell]:
    """Returns `Cell`s: the largest of `values` is the best, the next the second; equal texts share their mark.

    Args:
      texts: what the cells say.
      values: what they are ranked by.
    """
    distinct = sorted(set(values), reverse=True)
    places = dict(zip(distinct, ("best", "second"))) if len(values) > 1 else {}
    return [Cell(text, places.get(value, "")) for text, value in zip(texts, values)]
