"""What an export's files were when they were written: assets.extra/manifest.json.

It finds damage. That nobody has changed a model on purpose is known only by comparing the manifest's own SHA-256, which
`python -m katrec.export` prints, with what whoever exported the model says.
"""

from __future__ import annotations

import os

from katrec.common import beside, files, sealed
from katrec.common.command_line import UserError
from katrec.serving import EXTRA

MANIFEST = f"{EXTRA}/manifest.json"


def record(folder: str) -> None:
    """Writes the SHA-256 of every file in an export's folder into its manifest, and waits until all are on the disk."""
    found = {name: files.sha256(os.path.join(folder, name)) for name in _names(folder)}
    for name in found:
        beside.to_disk(os.path.join(folder, name))
    sealed.write(os.path.join(folder, MANIFEST), {"files": found})


def fingerprint(folder: str) -> str:
    """Returns the SHA-256 of the manifest, which stands for all files."""
    return files.sha256(os.path.join(folder, MANIFEST))


def check(folder: str) -> int:
    """Compares an export's files with its manifest; returns how many there are, 0 for an export without a manifest.

    Raises:
      UserError: a file is missing, was added or has other bytes.
    """
    if not os.path.exists(os.path.join(folder, MANIFEST)):
        return 0
    recorded = sealed.read(os.path.join(folder, MANIFEST)).get("files")
    if not isinstance(recorded, dict):
        raise UserError(f"{folder}: {MANIFEST} names no files; export the model again")
    for name in sorted({*recorded, *_names(folder)}):
        path = os.path.join(folder, name)
        if name not in recorded:
            raise UserError(f"{path}: was not exported; remove it, or export the model again")
        if not os.path.exists(path) or files.sha256(path) != recorded[name]:
            raise UserError(f"{path}: missing, or not what was exported (its SHA-256 differs); export the model again")
    return len(recorded)


def _names(folder):
    """Returns the paths of all files in a folder, relative to it, without the manifest."""
    paths = [os.path.join(inside, name) for inside, _, names in os.walk(folder) for name in names]
    return sorted({os.path.relpath(path, folder).replace(os.sep, "/") for path in paths} - {MANIFEST})
