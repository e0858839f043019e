"""All that a data set's runs showed, as files: tables, figures, a page with everything, a JSON with every number."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from katrec.common import files
from katrec.reporting import figures
from katrec.reporting.table import Table

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; font: 13px sans-serif; display: block; overflow-x: auto }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
th:first-child, td:first-child { text-align: left } figure { margin: 1.5rem 0 } svg { max-width: 100%; height: auto }
code { font-size: 12px }
"""


class Report:
    """Writes a data set's tables and figures into its results folder, and gathers them for report.html.

    Args:
      folder: RESULTS_DIR/DATASET.
      dataset: its name.
      notes: lines that say how the numbers were made.
    """

    def __init__(self, folder: str, dataset: str, notes: Sequence[str]) -> None:
        self._folder, self._dataset, self._notes = folder, dataset, notes
        self._parts: list[str] = []

    def tables(self, name: str, tables: Sequence[Table]) -> str:
        """Writes name.md with `Table`s and returns its text."""
        text = "\n".join(
            [
                f"# {self._dataset}\n",
                *(table.markdown() for table in tables),
                "## How\n",
                *(f"- {note}" for note in self._notes),
                "",
            ]
        )
        with files.replacing(os.path.join(self._folder, f"{name}.md")) as file:
            file.write(text)
        self._parts += [table.html() for table in tables]
        return text

    def figure(self, name: str, caption: str, figure: Figure) -> None:
        """Writes name.png and name.svg."""
        os.makedirs(self._folder, exist_ok=True)
        path = os.path.join(self._folder, name)
        figures.save(figure, path)
        with open(f"{path}.svg", encoding="utf-8") as file:
            drawing = file.read()
        drawing = _own_ids(drawing[drawing.index("<svg") :], name)
        self._parts.append(f"<figure>{drawing}<figcaption>{html.escape(caption)}</figcaption></figure>\n")

    def page(self) -> None:
        """Writes report.html: all tables and figures so far, nothing that is loaded from elsewhere."""
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self._notes)
        with files.replacing(os.path.join(self._folder, "report.html")) as file:
            file.write(
                f"<!doctype html><html lang=en><meta charset=utf-8><title>KATRec: {html.escape(self._dataset)}</title>"
                f"<style>{STYLE}</style>\n<h1>{html.escape(self._dataset)}</h1>\n{''.join(self._parts)}"
                f"<h3>How</h3><ul>{notes}</ul></html>\n"
            )

    def numbers(self, content: Any, name: str = "results") -> None:
        """Writes name.json."""
        files.write_json(os.path.join(self._folder, f"{name}.json"), content)


def _own_ids(drawing, name):
    """Returns an SVG whose ids differ from those of the page's other drawings."""
    return re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", drawing)
