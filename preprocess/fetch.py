"""Fetching files from servers that may break off, go wrong or send something else."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn, Optional

import requests
import urllib3
from tqdm import tqdm

from katrec.common import beside, files
from katrec.common.command_line import UserError, reason
from preprocess.unpack import unpack

if TYPE_CHECKING:
    from preprocess.catalog import Remote

__all__ = ["fetch", "unpack"]

CHECKSUMS = "checksums.json"
BLOCK_BYTES = 1 << 20
TRIES, WAIT_SECONDS, TIMEOUT_SECONDS = 5, 2, 60
# Slower than this over TIMEOUT_SECONDS is taken for a server that has died.
BYTES_PER_SECOND = 1000
# What tells one version of a file from another, for going on with a part of it.
VALIDATORS = ("ETag", "Last-Modified")
PAGE = re.compile(rb"\s*<(!doctype\s+html|html|head|body|\?xml)", re.IGNORECASE)
A_PAGE = "a web page came instead of the file, perhaps a form to log in"
_HOPELESS = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.TooManyRedirects,
)


def fetch(remote: Remote, folder: str) -> str:
    """Fetches a file into `folder`, going on where an earlier try broke off; does nothing where it is there and whole.

    A part of an earlier try is used only where the server says that it still has the same file.

    Args:
      remote: `preprocess.catalog.Remote`.
      folder: created when missing; its checksums.json keeps the SHA-256 of each file's first fetch.

    Raises:
      UserError: it cannot be fetched whole, is not what it should be, or its SHA-256 is not the known or recorded one.
    """
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, remote.name)
    if os.path.exists(path):
        _check(remote, folder, path)
        return path
    part = path + ".part"
    _download(remote, part)
    _check_content(remote, part)
    _check(remote, folder, part)
    beside.to_disk(part)
    os.replace(part, path)
    beside.remove(_note(part))
    return path


def _check(remote, folder, path):
    """Compares the SHA-256 with the known one, or with that of the first fetch, which is recorded."""
    recorded_path = os.path.join(folder, CHECKSUMS)
    recorded = files.read_object(recorded_path) if os.path.exists(recorded_path) else {}
    found = files.sha256(path)
    wanted = remote.sha256 or recorded.get(remote.name, found)
    if found != wanted:
        raise UserError(
            f"{path}: the SHA-256 is {found}, it should be {wanted}; delete the file and fetch it again"
            + ("" if remote.sha256 else f", or delete its line in {recorded_path} if it was renewed")
        )
    if recorded.get(remote.name) != found:
        files.write_json(recorded_path, {**recorded, remote.name: found})


def _check_content(remote, part):
    """Looks at what came: how much, and how it begins."""
    size = os.path.getsize(part)
    with open(part, "rb") as file:
        start = file.read(1 << 12)
    if PAGE.match(start):
        _refuse(remote, part, A_PAGE)
    if size < remote.least_bytes:
        _refuse(remote, part, f"only {size:,} bytes came, it has at least {remote.least_bytes:,}")
    if not re.match(remote.begins, start):
        _refuse(remote, part, f"it begins with {start[:40]!r}, this is not the file")


def _refuse(remote: Remote, part: str, reason: str) -> NoReturn:
    """Says what is wrong with an answer; nothing of it is kept."""
    beside.remove(part)
    beside.remove(_note(part))
    raise UserError(f"{remote.url}: {reason}; fetch {remote.name} by hand")


def _download(remote, part):
    for number in range(1, TRIES + 1):
        try:
            _continue(remote, part)
            return
        except _HOPELESS as error:
            _refuse(remote, part, f"cannot be fetched ({reason(error)})")
        # An exception of requests is an OSError.
        except (OSError, urllib3.exceptions.HTTPError) as error:
            if number == TRIES:
                raise UserError(
                    f"{remote.url}: cannot be fetched ({reason(error)}); the same command tries again, and goes on "
                    "with what came so far where the server can"
                ) from None
        time.sleep(WAIT_SECONDS)


def _continue(remote, part):
    """Fetches what `part` lacks; from the beginning where the server has another file now, or does not go on."""
    have, headers = _asking(remote, part)
    with requests.get(remote.url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        if remote.url.startswith("https:") and not response.url.startswith("https:"):
            _refuse(remote, part, f"leads to {response.url}, which is not encrypted")
        if response.status_code == 416 or (response.status_code == 206 and not _goes_on(response, have)):
            beside.remove(part)
            raise OSError(f"the server answers {response.status_code} with another part of the file")
        if 400 <= response.status_code < 500 and response.status_code != 429:
            _refuse(remote, part, f"the server answers {response.status_code} ({response.reason})")
        if response.status_code not in (200, 206):
            raise OSError(f"the server answers {response.status_code} ({response.reason})")
        have = have if response.status_code == 206 else 0
        if "text/html" in response.headers.get("Content-Type", ""):
            _refuse(remote, part, A_PAGE)
        total = _total(remote, part, response, have)
        files.write_json(_note(part), {"url": remote.url, **{name: response.headers.get(name) for name in VALIDATORS}})
        with open(part, "ab" if have else "wb") as file:
            _write(remote, part, file, response, have, total)
    size = os.path.getsize(part)
    if total is not None and size != total:
        raise OSError(f"{size:,} of {total:,} bytes came")


def _asking(remote: Remote, part: str) -> tuple[int, dict[str, str]]:
    """Returns how many bytes there are to go on with, and the request's headers."""
    # As it lies there: what is packed on the way would have another length.
    headers = {"Accept-Encoding": "identity"}
    have = os.path.getsize(part) if os.path.exists(part) else 0
    if not have or not os.path.exists(_note(part)):
        return 0, headers
    note = files.read_object(_note(part))
    version = next((note[name] for name in VALIDATORS if isinstance(note.get(name), str)), None)
    # A weak ETag may stand for other bytes.
    if version is None or version.startswith("W/") or note.get("url") != remote.url:
        return 0, headers
    return have, {**headers, "Range": f"bytes={have}-", "If-Range": version}


def _goes_on(response, have):
    """Returns whether an answer of status 206 begins after the `have` bytes that are there."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    return bool(have and found and int(found.group(1)) == have)


def _total(remote: Remote, part: str, response: Any, have: int) -> Optional[int]:
    """Returns the file's size; None where the answer ends with a mark of its own, or a known SHA-256 will tell."""
    length = response.headers.get("Content-Length", "")
    if not length.isdecimal():
        ends = response.headers.get("Transfer-Encoding", "").lower() == "chunked" or remote.sha256
        if length or not ends:
            _refuse(remote, part, "the server does not say how long the file is: whether all came cannot be known")
        return None
    total = have + int(length)
    if total > remote.most_bytes:
        _refuse(remote, part, f"the file has {total:,} bytes, it should have at most {remote.most_bytes:,}")
    free = shutil.disk_usage(os.path.dirname(os.path.abspath(part))).free
    if int(length) > free:
        raise UserError(f"{part}: {int(length):,} bytes are to come, {free:,} are free on the disk; make room")
    return total


def _write(remote, part, file, response, have, total):
    with tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=remote.name, dynamic_ncols=True) as bar:
        for block in _not_too_slow(response.raw.stream(BLOCK_BYTES, decode_content=False)):
            file.write(block)
            have += len(block)
            if have > remote.most_bytes:
                _refuse(remote, part, f"more than {remote.most_bytes:,} bytes come")
            bar.update(len(block))


def _not_too_slow(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yields blocks; raises OSError where they come so slowly that the server must have died."""
    since, came = time.monotonic(), 0
    for block in blocks:
        yield block
        came += len(block)
        waited = time.monotonic() - since
        if waited > TIMEOUT_SECONDS:
            if came < BYTES_PER_SECOND * waited:
                raise OSError(f"{came:,} bytes in {waited:.0f} seconds")
            since, came = time.monotonic(), 0


def _note(part):
    """Returns the path of the file that says of which version a part is."""
    return part + ".json"
