"""Raw interaction files that are too large for memory: read in blocks, damaged rows counted, only what stays kept."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
import pandas as pd
from tqdm import tqdm

from katrec.common.command_line import UserError
from katrec.common.ids import BREAKS
from preprocess.k_core import core_rows

BLOCK_BYTES = 1 << 25
BOM = b"\xef\xbb\xbf"
SILENT_SECONDS = 3


class Block(NamedTuple):
    """Whole lines of a file.

    Attributes:
      text: bytes, ending with a line end.
      first_line: the number of its first line in the file, from 1.
    """

    text: bytes
    first_line: int


def blocks(path: str, title: Optional[str] = None) -> Iterator[Block]:
    """Yields `Block`s of a file, gzip or plain, with a progress bar over its bytes.

    Raises:
      UserError: there is no such file, or it cannot be read.
    """
    try:
        total = os.path.getsize(path)
        progress = {"unit": "B", "unit_scale": True, "leave": False, "delay": SILENT_SECONDS, "dynamic_ncols": True}
        with contextlib.ExitStack() as stack:
            bar = stack.enter_context(tqdm(total=total, desc=title or os.path.basename(path), **progress))
            raw = stack.enter_context(open(path, "rb"))
            file = stack.enter_context(gzip.open(raw)) if path.endswith(".gz") else raw
            line, rest = 1, b""
            # A byte order mark is no part of the first field.
            start = file.read(len(BOM)).removeprefix(BOM)
            while True:
                read = start + file.read(BLOCK_BYTES)
                start = b""
                text, end, rest = (rest + read).rpartition(b"\n") if read else (rest, b"\n" if rest else b"", b"")
                bar.update(raw.tell() - bar.n)
                if end:
                    yield Block(text + end, line)
                    line += text.count(b"\n") + 1
                if not read:
                    return
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


class Damage:
    """Counts a file's rows and its damaged ones, and remembers the first of these.

    Args:
      path: the file.
      max_share: more damaged rows than this share of all are an error.
    """

    def __init__(self, path: str, max_share: float) -> None:
        self._path, self._max_share = path, max_share
        self.rows = self.damaged = 0
        self._first: Optional[str] = None

    def add(self, block: Block, rows: int, good: np.ndarray) -> None:
        """Counts a block's rows.

        Args:
          block: `Block`.
          rows: how many it has.
          good: bool[rows], in file order.
        """
        bad = ~good
        if bad.any() and self._first is None:
            at = int(np.argmax(bad))
            line = [*block.text.split(b"\n", at + 1), b""][at]
            self._first = f"line {block.first_line + at}: {line[:100].decode('utf-8', 'replace')!r}"
        self.rows += rows
        self.damaged += int(bad.sum())

    def check(self) -> dict[str, Any]:
        """Returns the row of the report.

        Raises:
          UserError: too many rows are damaged.
        """
        if self.damaged > self._max_share * self.rows:
            raise UserError(
                f"{self._path}: {self._first} is damaged, one of {self.damaged} of {self.rows} rows; is "
                "this the right file? --max_bad_rows allows a larger share"
            )
        return {
            "step": f"damaged rows of {os.path.basename(self._path)}",
            "before": self.rows,
            "kept": self.rows - self.damaged,
            "dropped": self.damaged,
        }


def separated(path: str, separator: str, names: Sequence[Optional[str]], damage: Damage) -> Iterator[pd.DataFrame]:
    """Yields the rows of a file without a header, as a DataFrame of strings a block, in file order.

    Args:
      path: the file.
      separator: one character.
      names: of all columns, None for those that are not wanted; the last, "timestamp", must be a number and becomes
        float64.
      damage: `Damage`; a row with another number of columns, a field that is empty, undecodable or holds a tab or
        another line's end, or a time that is no number is counted there and left out.
    """
    broken = f"[{re.escape(BREAKS)}\ufffd]"
    # Looked for in a block's bytes first: a regular expression on every field would take as long as all the rest.
    breaks = [character.encode() for character in BREAKS if character not in ("\n", separator)]
    wanted = {place: name for place, name in enumerate(names) if name}
    for block in blocks(path):
        # A column too many shows rows with more fields; a first line of empty fields makes it known to pandas.
        lines = block.text.replace(b"\r\n", b"\n")
        text = separator.encode() * len(names) + b"\n" + lines
        odd = any(one in lines for one in breaks)
        frame = (
            pd.read_csv(
                io.BytesIO(text),
                sep=separator,
                header=None,
                names=range(len(names) + 1),
                usecols=[*wanted, len(names)],
                dtype=object,
                quoting=3,
                keep_default_na=False,
                na_values=[""],
                skip_blank_lines=False,
                index_col=False,
                encoding="utf-8",
                encoding_errors="replace",
                low_memory=False,
                lineterminator="\n",
            )
            .rename(columns=wanted)
            .iloc[1:]
        )
        frame["timestamp"] = pd.to_numeric(frame["timestamp"], errors="coerce")
        good = frame.pop(len(names)).isna().to_numpy() & np.isfinite(frame["timestamp"].to_numpy(np.float64))
        for name in frame.columns[:-1]:
            good &= frame[name].notna().to_numpy()
            good[good] = ~frame[name][good].str.contains(broken if odd else "\ufffd", regex=odd).to_numpy(bool)
        damage.add(block, len(frame), good)
        yield frame if good.all() else frame[good]


def filtered(
    frames: Iterable[pd.DataFrame],
    keep: Callable[[pd.DataFrame], Any],
    step: str,
    report: list[dict[str, Any]],
) -> Iterator[pd.DataFrame]:
    """Yields what `keep` says of each frame's rows, and adds a row to the report at the end.

    Args:
      frames: an iterable of DataFrames.
      keep: a function from a frame to bool[rows].
      step: what the report calls the filter.
      report: its rows.
    """
    before = kept = 0
    for frame in frames:
        rows = np.asarray(keep(frame), bool)
        before, kept = before + len(rows), kept + int(rows.sum())
        yield frame[rows]
    report.append({"step": step, "before": before, "kept": kept, "dropped": before - kept})


def gathered(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Returns interactions in one frame, each id held once: user_id and item_id are categorical."""
    codes: dict[str, list[np.ndarray]] = {"user_id": [], "item_id": []}
    known: dict[str, dict[str, int]] = {"user_id": {}, "item_id": {}}
    times = []
    for frame in frames:
        times.append(frame["timestamp"].to_numpy(np.float64))
        for name, numbers in known.items():
            own, ids = pd.factorize(frame[name].to_numpy(object))
            table = np.array([numbers.setdefault(one, len(numbers)) for one in ids], np.int32)
            codes[name].append(table[own] if len(own) else own.astype(np.int32))
    columns = {
        name: pd.Categorical.from_codes(
            np.concatenate([np.empty(0, np.int32), *codes.pop(name)]), pd.Index(list(numbers), dtype=object)
        )
        for name, numbers in known.items()
    }
    return pd.DataFrame({**columns, "timestamp": np.concatenate([np.empty(0), *times])})


def core(
    read: Callable[[list[dict[str, Any]]], Iterable[pd.DataFrame]], k: int, report: list[dict[str, Any]]
) -> Iterator[pd.DataFrame]:
    """Yields the k-core of interactions that are read twice, in memory of 16 bytes a row beside what is kept.

    The first reading takes 64-bit hashes of the ids: among 10⁷ ids two share one with a chance of 3 · 10⁻⁶.

    Args:
      read: a function of a report, which returns the frames from the file's beginning.
      k: each kept user and item has at least so many interactions.
      report: rows of the report are added here.
    """
    hashes = [
        [pd.util.hash_array(frame[name].to_numpy(object)) for name in ("user_id", "item_id")] for frame in read([])
    ]
    nothing = np.empty(0, np.uint64)
    users, items = (pd.factorize(np.concatenate(parts))[0] for parts in zip([nothing, nothing], *hashes))
    del hashes
    mask, start = core_rows(users, items, k), 0

    def next_rows(frame):
        nonlocal start
        start += len(frame)
        return mask[start - len(frame) : start]

    yield from filtered(read(report), next_rows, f"{k}-core, interactions", report)
