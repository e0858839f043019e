"""Taking a single file out of an archive that is not trusted."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from typing import IO

from katrec.common import files
from katrec.common.command_line import UserError, reason

BLOCK_BYTES = 1 << 20
MAX_UNPACKED_BYTES = 200 << 30


def unpack(archive: str, name: str, folder: str, max_bytes: int = MAX_UNPACKED_BYTES) -> str:
    """Takes the file called `name`, in whatever folder of a zip or tar archive, into `folder`; returns its path.

    Paths of the archive are not used, links and devices are passed over, and no more than `max_bytes` are written. The
    archive is read to its end, so that its checksums are compared.

    Raises:
      UserError: the archive cannot be read, has no such file, or more than `max_bytes` of it.
    """
    path = os.path.join(folder, name)
    with files.replacing(path, "wb") as target:
        copy(archive, name, target, max_bytes)
    return path


def copy(archive: str, name: str, target: IO[bytes], max_bytes: int) -> None:
    """Writes what `unpack` takes to an open file; arguments and errors as there."""
    try:
        if zipfile.is_zipfile(archive):
            _from_zip(archive, name, target, max_bytes)
        else:
            _from_tar(archive, name, target, max_bytes)
    except UserError:
        raise
    # Damaged bytes may look like anything: encrypted, of an unknown method, of a negative length.
    except Exception as error:
        raise UserError(f"{archive}: cannot be unpacked ({reason(error)}); fetch it again") from None


def _from_zip(archive, name, target, max_bytes):
    with zipfile.ZipFile(archive) as packed:
        for one in packed.infolist():
            if os.path.basename(one.filename) == name and not stat.S_ISLNK(one.external_attr >> 16):
                with packed.open(one) as source:
                    return _copy(source, target, max_bytes, archive)
    raise UserError(f"{archive}: holds no file {name}")


def _from_tar(archive, name, target, max_bytes):
    try:
        tarred = tarfile.open(archive)  # noqa: SIM115 (closed below)
    except tarfile.ReadError:
        raise UserError(f"{archive}: no zip and no tar archive, or damaged; fetch it again") from None
    with tarred:
        found = next((one for one in tarred if one.isreg() and os.path.basename(one.name) == name), None)
        source = found and tarred.extractfile(found)
        if source is None:
            raise UserError(f"{archive}: holds no file {name}")
        _copy(source, target, max_bytes, archive)
        _to_the_end(tarred)


def _to_the_end(tarred):
    """Reads what follows a member: the checksum of a packed tar is at its end."""
    for _ in tarred:
        pass
    while tarred.fileobj.read(BLOCK_BYTES):
        pass


def _copy(source, target, max_bytes, archive):
    written = 0
    while block := source.read(BLOCK_BYTES):
        written += len(block)
        if written > max_bytes:
            raise UserError(f"{archive}: more than {max_bytes} bytes come out of it, that is no such data set")
        target.write(block)
