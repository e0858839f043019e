"""Files that are whole or absent: written beside their place, then renamed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import IO, Any

import numpy as np

from katrec.common import beside
from katrec.common.beside import Path
from katrec.common.command_line import UserError, reason
from katrec.common.ids import escape, unescape

# Of a prepared data set; the second format has ids.npz and escapes in its tables.
MANIFEST, DATA_FORMAT = "manifest.json", 2


@contextlib.contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO]:
    """Opens a new file that takes the place of `path` when the block ends without an exception.

    It is on the disk before it takes the place: a crash leaves the earlier file or the new one.

    Args:
      path: the file to write; its folder is created.
      mode: "w" (UTF-8 text) or "wb".

    Yields:
      The open file.

    Raises:
      OSError: it cannot be written, for example to a full disk; names `path`.
    """
    unfinished = beside.new(path)
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")
    try:
        with open(unfinished, mode, encoding=encoding, newline=newline) as file:
            yield file
        beside.to_disk(unfinished)
        os.replace(unfinished, path)
        beside.to_disk(os.path.dirname(unfinished))
    except BaseException as error:
        beside.remove(unfinished)
        if isinstance(error, OSError) and error.filename in (None, unfinished):
            error.filename = os.fspath(path)
        raise


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON, keys in the order given."""
    with replacing(path) as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def read_json(path: Path) -> Any:
    """Returns the JSON value in `path`.

    Raises:
      UserError: the file is missing or is not JSON.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error})") from None
    except RecursionError:
        raise UserError(f"{path}: not JSON of this project (nested too deeply)") from None


def read_object(path: Path) -> dict[str, Any]:
    """Returns the JSON object in `path`.

    Raises:
      UserError: the file is missing or is no JSON object.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path}: holds no JSON object {{…}} but {str(value)[:40]!r}")
    return value


def read_arrays(path: Path, names: Collection[str]) -> dict[str, np.ndarray]:
    """Returns the arrays of an .npz file; nothing in it is executed.

    Args:
      path: the file.
      names: what it must hold, no more and no less.

    Raises:
      UserError: the file is missing, damaged or holds other arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if set(archive.files) != set(names):
                raise ValueError(f"it holds {', '.join(sorted(archive.files)) or 'nothing'}")
            return dict(archive)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    # Damaged bytes may look like anything: numpy and zipfile raise a dozen kinds of exceptions for them.
    except Exception as error:
        raise UserError(f"{path}: damaged ({reason(error)}); delete it, what made it makes it again") from None


def read_column(path: Path, name: str) -> list[str]:
    """Returns a column of a prepared tab-separated file as a list of strings.

    Raises:
      UserError: the file is missing or has no such column.
    """
    try:
        # A line ends with a line feed alone: other ends are characters of a field.
        with open(path, encoding="utf-8", newline="\n") as file:
            header, *rows = (line.rstrip("\n").split("\t") for line in file)
        place = header.index(name)
        return [unescape(row[place]) for row in rows]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, IndexError):  # a UnicodeDecodeError is a ValueError
        raise UserError(f"{path}: has no column {name!r} in every row; prepare the data set again") from None


def write_columns(path: Path, columns: Mapping[str, Iterable[str]]) -> None:
    """Writes a tab-separated file with a header; tabs, line ends and backslashes in a field are escaped.

    Args:
      path: the file to write.
      columns: {name: its fields}, all of one length.
    """
    with replacing(path) as file:
        file.write("\t".join(columns) + "\n")
        file.writelines("\t".join(map(escape, row)) + "\n" for row in zip(*columns.values()))


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
