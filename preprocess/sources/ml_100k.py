"""MovieLens-100K with its KB4Rec/Freebase knowledge graph, as the RecBole 1.2.1 wheel ships it.

The wheel is fetched by pip from whatever package index the user has set up, checked against its published SHA-256,
kept, and only unpacked: RecBole itself is not installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import Optional

from katrec.common import files
from katrec.common.command_line import UserError
from preprocess.sources import Options
from preprocess.tables import Tables, read_atomic

NAME = "ml-100k"
REQUIREMENT = "recbole==1.2.1"
WHEEL = "recbole-1.2.1-py3-none-any.whl"
WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
MEMBERS = tuple(f"recbole/dataset_example/ml-100k/ml-100k{ending}" for ending in (".inter", ".kg", ".link", ".item"))


def load(name: str, raw_dir: str, options: Optional[Options] = None) -> Tables:
    """Returns the tables of ml-100k.

    Args:
      name: "ml-100k".
      raw_dir: where the wheel is kept and its files are unpacked; fetched there when it is missing.

    Raises:
      UserError: the wheel cannot be fetched, or its checksum differs.
    """
    wheel = os.path.join(raw_dir, WHEEL)
    if not os.path.exists(wheel):
        fetch(raw_dir)
    if files.sha256(wheel) != WHEEL_SHA256:
        raise UserError(f"{wheel}: the SHA-256 is not {WHEEL_SHA256}; delete the file and run the command again")
    with zipfile.ZipFile(wheel) as archive:
        for member in MEMBERS:
            with files.replacing(os.path.join(raw_dir, os.path.basename(member)), "wb") as file:
                file.write(archive.read(member))
    tables = read_atomic(raw_dir, name, options.until if options else None)
    return tables._replace(files=(wheel,))


def fetch(folder: str) -> None:
    """Downloads the wheel (2 MB) into `folder` with pip."""
    os.makedirs(folder, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        f"--dest={folder}",
        REQUIREMENT,
    ]
    print(f"fetching {REQUIREMENT} (2 MB) with pip into {folder}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not os.path.exists(os.path.join(folder, WHEEL)):
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise UserError(f"pip could not fetch {REQUIREMENT}: {reason}; put {WHEEL} into {folder} by hand")
