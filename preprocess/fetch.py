"""Fetching files that may break off, and taking single files out of archives that are not trusted."""

from __future__ import annotations

import contextlib
import http.client
import os
import stat
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from typing import TYPE_CHECKING

from tqdm import tqdm

from katrec.common import files
from katrec.common.command_line import UserError

if TYPE_CHECKING:
    from preprocess.catalog import Remote

CHECKSUMS = "checksums.json"
BLOCK_BYTES = 1 << 20
TRIES, WAIT_SECONDS, TIMEOUT_SECONDS = 5, 2, 60
MAX_UNPACKED_BYTES = 200 << 30


def fetch(remote: Remote, folder: str) -> str:
    """Fetches a file into `folder`, going on where an earlier try broke off; does nothing where it is there and whole.

    Args:
      remote: `preprocess.catalog.Remote`.
      folder: created when missing; its checksums.json keeps the SHA-256 of each file's first fetch.

    Raises:
      UserError: it cannot be fetched, or its SHA-256 is not the known or recorded one.
    """
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, remote.name)
    if not os.path.exists(path):
        part = path + ".part"
        _download(remote.url, part)
        _check(remote, folder, part)
        os.replace(part, path)
    else:
        _check(remote, folder, path)
    return path


def _check(remote, folder, path):
    recorded_path = os.path.join(folder, CHECKSUMS)
    recorded = files.read_json(recorded_path) if os.path.exists(recorded_path) else {}
    found = files.sha256(path)
    wanted = remote.sha256 or recorded.get(remote.name, found)
    if found != wanted:
        raise UserError(
            f"{path}: the SHA-256 is {found}, it should be {wanted}; delete the file and fetch it again"
            + ("" if remote.sha256 else f", or delete its line in {recorded_path} if it was renewed")
        )
    files.write_json(recorded_path, {**recorded, remote.name: found})


def _download(url, part):
    for number in range(1, TRIES + 1):
        try:
            _continue(url, part)
            return
        except urllib.error.HTTPError as error:
            if error.code < 500 or number == TRIES:
                raise UserError(f"{url}: the server answers {error.code} ({error.reason}); fetch it by hand") from None
        except (OSError, http.client.HTTPException) as error:
            if number == TRIES:
                raise UserError(
                    f"{url}: cannot be fetched ({error}); what came so far is kept, the same command goes on with it"
                ) from None
        time.sleep(WAIT_SECONDS)


def _continue(url, part):
    """Fetches what `part` lacks; from the beginning where the server does not go on."""
    have = os.path.getsize(part) if os.path.exists(part) else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        # Nothing is left beyond what is there.
        if error.code == 416 and have:
            return
        raise
    with response:
        going_on = response.status == 206
        left = response.headers.get("Content-Length")
        total = int(left) + have * going_on if left else None
        with (
            open(part, "ab" if going_on else "wb") as file,
            tqdm(
                total=total,
                initial=have * going_on,
                unit="B",
                unit_scale=True,
                desc=os.path.basename(part[:-5]),
                dynamic_ncols=True,
            ) as bar,
        ):
            while block := response.read(BLOCK_BYTES):
                file.write(block)
                bar.update(len(block))
    if total is not None and os.path.getsize(part) != total:
        raise OSError(f"{os.path.getsize(part)} of {total} bytes came")


def unpack(archive: str, name: str, folder: str, max_bytes: int = MAX_UNPACKED_BYTES) -> str:
    """Takes the file called `name`, in whatever folder of a zip or tar archive, into `folder`; returns its path.

    Paths of the archive are not used, links and devices are passed over, and no more than `max_bytes` are written.

    Raises:
      UserError: the archive cannot be read, has no such file, or more than `max_bytes` of it.
    """
    path = os.path.join(folder, name)
    try:
        with contextlib.ExitStack() as stack:
            source = _member(archive, name, stack)
            if source is None:
                raise UserError(f"{archive}: holds no file {name}")
            target = stack.enter_context(files.replacing(path, "wb"))
            _copy(source, target, max_bytes, archive)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise UserError(f"{archive}: cannot be unpacked ({error}); fetch it again") from None
    return path


def _member(archive, name, stack):
    if zipfile.is_zipfile(archive):
        packed = stack.enter_context(zipfile.ZipFile(archive))
        found = next(
            (
                one
                for one in packed.infolist()
                if os.path.basename(one.filename) == name and not stat.S_ISLNK(one.external_attr >> 16)
            ),
            None,
        )
        return found and stack.enter_context(packed.open(found))
    tarred = stack.enter_context(tarfile.open(archive))  # noqa: SIM115 (the stack closes it)
    found = next((one for one in tarred if one.isreg() and os.path.basename(one.name) == name), None)
    return found and tarred.extractfile(found)


def _copy(source, target, max_bytes, archive):
    written = 0
    while block := source.read(BLOCK_BYTES):
        written += len(block)
        if written > max_bytes:
            raise UserError(f"{archive}: more than {max_bytes} bytes come out of it, that is no such data set")
        target.write(block)
