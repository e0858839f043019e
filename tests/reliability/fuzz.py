"""Random damage to every file that the project reads: nothing but the project's own one-line errors may come out.

  python -m tests.reliability.fuzz [--seconds=300] [--targets=amazon,kgat]

Each target's small valid files are changed by Hypothesis; what is accepted goes through the whole of preprocessing and
is loaded again, and its ids must come back. Prints a row a target; a finding is printed with the shortest input.
"""

from __future__ import annotations

import collections
import contextlib
import gzip
import io
import json
import math
import os
import pathlib
import shutil
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from absl import flags
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from katrec import flags as settings_flags
from katrec.common import command_line, files, sealed
from katrec.common.command_line import UserError
from katrec.common.rankings import PROTOCOLS, SPLITS
from katrec.data.dataset import load
from katrec.experiments import search_space, trials
from katrec.reporting import finished
from katrec.settings import Settings
from katrec.training import run_directory
from preprocess import pipeline
from preprocess.sources import Options, amazon_book, atomic, delimited, freebase, lastfm, yelp2018
from preprocess.writer import write

FLAGS = flags.FlagValues()
flags.DEFINE_float("seconds", 300, "For each target.", 0.1, flag_values=FLAGS)
flags.DEFINE_list("targets", [], "Default: all.", flag_values=FLAGS)

SLOW_SECONDS = 10
# What separates, ends, quotes or nests in one of the formats, and numbers at the edges of their types.
PIECES = [
    *(b"\t", b"\n", b"\r", b"\r\n", b"\0", b",", b" ", b'"', b"'", b"{", b"}", b"[" * 2000, b"\\ud800", b"\\u0000"),
    *(b"\xef\xbb\xbf", b"\xff", b"\x1c", b"\x0b", "\u2028\x85é😀".encode(), b"nan", b"inf", b"1e400", b"-1", b"null"),
    *(b"9" * 20, b"9" * 5000, b"9223372036854775808", b"1_0", "١".encode(), b"9999-12-31", b"m.x", b"true", b"../x"),
]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["insert", "overwrite", "remove", "repeat", "rotate"]),
        st.floats(0, 1),
        st.sampled_from(PIECES) | st.binary(max_size=4),
        st.integers(1, 30),
    ),
    max_size=4,
)


def changed(content: bytes, changes: list) -> bytes:
    """Returns a file's content after some changes."""
    for what, place, piece, length in changes:
        at = int(place * len(content))
        before, there, after = content[:at], content[at : at + length], content[at + length :]
        if what == "rotate":
            lines = content.split(b"\n")
            content = b"\n".join(lines[length % len(lines) :] + lines[: length % len(lines)])
        else:
            middle = {"insert": piece + there, "overwrite": piece, "remove": b"", "repeat": there + there}[what]
            content = before + middle + after
    return content


class Target(NamedTuple):
    """What is fuzzed.

    Attributes:
      files: {name: valid content}.
      read: function of the folder that has them.
      others: further files, which stay as they are.
    """

    files: Mapping[str, bytes]
    read: Callable[[pathlib.Path], None]
    others: Mapping[str, bytes] = {}


class ComesBackOtherwise(Exception):
    """What was prepared is not what is loaded."""


def through(tables, folder: pathlib.Path) -> None:
    """Prepares tables, writes them, loads them, and compares the ids."""
    prepared = pipeline.prepare(tables, pipeline.Settings(0, 0, 0))
    write(prepared, str(folder / "out" / "x"), "x", {"source": "fuzz"})
    dataset = load(str(folder / "out"), "x")
    for what in ("item", "user", "entity", "relation"):
        if dataset.table_ids(what) != list(getattr(prepared, f"{what}_ids")):
            raise ComesBackOtherwise(what)


def _rows(text: str, count: int = 12) -> bytes:
    rows = (text.format(user=i % 3, item=i % 2, time=1_390_000_000 + i, day=1 + i % 9) for i in range(count))
    return "".join(rows).encode()


def _of(source, **options):
    chosen = Options(max_bad_rows=1.0, min_interactions=0, **options)

    def read(folder):
        given = chosen._replace(kgat_dir=str(folder)) if chosen.kgat_dir else chosen
        through(source.load("x", str(folder), given), folder)

    return read


def _packed_graph(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("kg_final.txt", content)
    return buffer.getvalue()


def _read_dump(folder: pathlib.Path) -> None:
    dump = folder / freebase.DUMP
    dump.write_bytes(gzip.compress((folder / "dump").read_bytes()))
    _of(amazon_book)(folder)


def _read_flags(folder: pathlib.Path) -> None:
    values = flags.FlagValues()
    settings_flags.define(values)
    before, sys.argv = sys.argv, ["train", f"--flagfile={folder}/flags.txt"]
    try:
        command_line._parsed(values)
        settings_flags.read(values)
    except flags.Error:
        pass
    finally:
        sys.argv = before


def _prepared_files() -> dict[str, bytes]:
    """Returns the files of a prepared data set."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in ATOMIC.items():
            pathlib.Path(folder, name).write_bytes(content)
        prepared = pipeline.prepare(atomic.load("x", folder), pipeline.Settings(0, 0, 0))
        write(prepared, os.path.join(folder, "out"), "x", {"licence": "none"})
        return {path.name: path.read_bytes() for path in pathlib.Path(folder, "out").iterdir()}


def _read_prepared(folder: pathlib.Path) -> None:
    """Loads a data set of which a file was changed, and once more with a manifest that agrees with the change."""
    target = folder / "datasets" / "x"
    target.mkdir(parents=True)
    for name in PREPARED:
        shutil.copy(folder / name, target / name)
    with contextlib.suppress(UserError):
        load(str(folder / "datasets"), "x")
        if any((folder / name).read_bytes() != content for name, content in PREPARED.items() if name != MANIFEST):
            raise ComesBackOtherwise("a changed file was loaded")
    manifest = sealed.read(target / MANIFEST)
    outputs = {name: files.sha256(target / name) for name in PREPARED if name != MANIFEST}
    sealed.write(target / MANIFEST, {**manifest, "outputs": outputs})
    load(str(folder / "datasets"), "x")


def _read_run(folder: pathlib.Path) -> None:
    np.savez(folder / "ranks.npz", users=np.arange(3), sampled=np.ones(3, int), full=np.ones(3, int))
    finished.read(str(folder))
    run_directory.claim(str(folder), CONFIG)


def _read_space(folder: pathlib.Path) -> None:
    space = search_space.read_space(str(folder / "search.json"), [])
    trials.planned(space, "x", "datasets", "runs")
    search_space.read_ranges(str(folder / "search.json"), [])


def _read_tables(folder: pathlib.Path) -> None:
    paths = {name: str(folder / f"{name}.csv") for name in ("interactions", "triplets", "links", "titles")}
    through(delimited.load("x", None, Options(files=paths)), folder)


ATOMIC = {
    "x.inter": b"user_id:token\titem_id:token\ttimestamp:float\n" + _rows("u{user}\ti{item}\t{time}\n"),
    "x.kg": b"head_id:token\trelation_id:token\ttail_id:token\nm.0\tr\tm.9\nm.1\tr\tm.9\n",
    "x.link": b"item_id:token\tentity_id:token\ni0\tm.0\ni1\tm.1\n",
    "x.item": b"item_id:token\ttitle:token_seq\ni0\tA\ni1\tB\n",
}
TABLES = {
    "interactions.csv": b"user_id,item_id,timestamp\n" + _rows("u{user},i{item},{time}\n"),
    "triplets.csv": b"head_id,relation_id,tail_id\nm.0,r,m.9\nm.1,r,m.9\n",
    "links.csv": b"item_id,entity_id\ni0,m.0\ni1,m.1\n",
    "titles.csv": b'item_id,title\ni0,"A, B"\ni1,C\n',
}
KGAT = {
    "item_list.txt": b"org_id remap_id freebase_id\ni0 0 m.0\ni1 1 m.1\n",
    "user_list.txt": b"org_id remap_id\nu0 0\nu1 1\nu2 2\n",
    "entity_list.txt": b"org_id remap_id\nm.0 0\nm.1 1\nm.2 2\n",
    "relation_list.txt": b"org_id remap_id\nr 0\n",
    "kg_final.txt": b"0 0 2\n1 0 2\n",
}
AMAZON = {amazon_book.FILE: _rows("u{user},i{item},5.0,{time}\n")}
LASTFM = {lastfm.FILE: _rows("u{user}\t7\t8\ti{item}\t{time}\n")}
YELP = {
    yelp2018.FILE: _rows(
        '{{"review_id":"r","user_id":"u{user}","business_id":"i{item}","date":"2018-01-0{day} 10:00:00"}}\n'
    )
}
LINKS = {amazon_book.LINKS: b"i0\tm.0\ni1\tm.1\n"}
_STATEMENT = (
    "<http://rdf.freebase.com/ns/{}>\t<http://rdf.freebase.com/ns/film.x>\t<http://rdf.freebase.com/ns/{}>\t.\n"
)
DUMP = "".join(_STATEMENT.format(*ends) for ends in (("m.0", "m.2"), ("m.2", "m.1"), ("g.3", "m.0"))).encode()
CONFIG = run_directory.RunConfig("x", "datasets", Settings(model="sasrec"), {"items.tsv": "ab"})


def _text(value) -> bytes:
    return (json.dumps(sealed.seal(value)) + "\n").encode()


_PARTS = {split: {protocol: {"NDCG@10": 0.5} for protocol in PROTOCOLS} for split in SPLITS}
RUN = {
    "config.json": _text(CONFIG.flat()),
    "result.json": _text({"dataset": "x", "model": "sasrec", "seed": 1, "step": 4, "seconds": 1, "users": 3, **_PARTS}),
    "metrics.jsonl": _text({"step": 2, "loss": 1.5}) + _text({"step": 4, "loss": 1.0}),
}
MANIFEST = files.MANIFEST
PREPARED = _prepared_files()
SPACE = {
    "search.json": b'{"all": {"train_steps": 5}, "sasrec": {"flags": {}, "trials": [{"batch_size": 3}, {}], '
    b'"ranges": {"learning_rate": {"low": 1e-4, "high": 0.01, "log": true}, "layer_norm": {"choices": ["pre"]}}}}'
}
FLAG_FILE = {"flags.txt": b"--learning_rate=1e-3\n# x\n--propagation_dims=4,4\n--train_steps=5\n--nouser_modeling\n"}

TARGETS = {
    "atomic": Target(ATOMIC, _of(atomic)),
    "tables": Target(TABLES, _read_tables),
    "amazon": Target(AMAZON, _of(amazon_book, kgat_dir="here"), KGAT),
    "lastfm": Target(LASTFM, _of(lastfm, kgat_dir="here"), KGAT),
    "yelp": Target(YELP, _of(yelp2018, kgat_dir="here"), KGAT),
    "kgat": Target(KGAT, _of(amazon_book, kgat_dir="here"), AMAZON),
    "kgat_zip": Target(
        {"kg_final.txt.zip": _packed_graph(KGAT["kg_final.txt"] * 20)},
        _of(amazon_book, kgat_dir="here"),
        {**AMAZON, **{name: content for name, content in KGAT.items() if name != "kg_final.txt"}},
    ),
    "kb4rec": Target(LINKS, _of(amazon_book), {**AMAZON, freebase.DUMP: gzip.compress(DUMP)}),
    "freebase": Target({"dump": DUMP}, _read_dump, {**AMAZON, **LINKS}),
    "freebase_gz": Target({freebase.DUMP: gzip.compress(DUMP)}, _of(amazon_book), {**AMAZON, **LINKS}),
    "flags": Target(FLAG_FILE, _read_flags),
    "prepared": Target(PREPARED, _read_prepared),
    "run": Target(RUN, _read_run),
    "search": Target(SPACE, _read_space),
}


class Outcome(NamedTuple):
    """What a target said.

    Attributes:
      inputs: how many were tried.
      accepted: how many were read without an error.
      findings: {(exception, place): (how often, the shortest input, its message)}.
    """

    inputs: int
    accepted: int
    findings: dict


def fuzz(name: str, seconds: float = math.inf, inputs: int = 10**7) -> Outcome:
    """Tries a target with so many changed files, or with those of so many seconds."""
    target, counts, findings = TARGETS[name], collections.Counter(), {}
    root = "/dev/shm" if os.path.isdir("/dev/shm") else None
    deadline = time.monotonic() + seconds

    with tempfile.TemporaryDirectory(dir=root) as scratch:

        @settings(
            max_examples=inputs,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.sampled_from(sorted(target.files)), CHANGES, st.binary(max_size=99), st.integers(0, 3), st.booleans())
        def one(file, changes, instead, kind, seals):
            if time.monotonic() > deadline:
                raise TimeoutError
            content = changed(target.files[file], changes) if kind else instead
            content = _sealed_again(content) if seals and file.endswith(".json") else content
            counts["inputs"] += 1
            found = _tried(target, pathlib.Path(scratch) / "case", {file: content})
            counts["accepted"] += found is None
            if found and found[0] != "said":
                often, shortest, _ = findings.get(found[:2], (0, None, None))
                if shortest is None or len(content) < len(shortest[1]):
                    shortest = file, content
                findings[found[:2]] = (often + 1, shortest, found[2])

        with contextlib.suppress(TimeoutError):
            one()
    return Outcome(counts["inputs"], counts["accepted"], findings)


def _sealed_again(content):
    """Returns a JSON object's text with a checksum that fits, so that what comes after that check is reached."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return content
    return _text(value) if isinstance(value, dict) else content


def _tried(target, folder, files_changed):
    """Returns None for an accepted input, else ("said",) or exception, place and message of a finding."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in {**target.others, **target.files, **files_changed}.items():
        (folder / name).write_bytes(content)
    started = time.monotonic()
    try:
        target.read(folder)
    except UserError as error:
        return ("said",) if "\n" not in str(error) else ("an error of several lines", "", str(error))
    except OSError:
        return ("said",)
    except Exception as error:
        own = [at for at in traceback.extract_tb(error.__traceback__) if "/site-packages/" not in at.filename]
        place = f"{os.path.basename(own[-1].filename)}:{own[-1].lineno}"
        return type(error).__name__, place, str(error)[:200]
    if time.monotonic() - started > SLOW_SECONDS:
        return "slow", "", f"{time.monotonic() - started:.0f} s"
    return None


def main() -> None:
    """Fuzzes the targets of the flags; raises `UserError` where one has a finding."""
    unknown = set(FLAGS.targets) - set(TARGETS)
    if unknown:
        raise command_line.FlagError(f"--targets={','.join(FLAGS.targets)}: choose from {','.join(TARGETS)}")
    print("| target | inputs | accepted | findings |\n| --- | --- | --- | --- |", flush=True)
    findings = 0
    for name in FLAGS.targets or TARGETS:
        outcome = fuzz(name, FLAGS.seconds)
        findings += len(outcome.findings)
        print(f"| {name} | {outcome.inputs:,} | {outcome.accepted:,} | {len(outcome.findings)} |", flush=True)
        for (kind, place), (often, (file, content), message) in outcome.findings.items():
            print(f"  {kind} × {often} at {place}: {message!r}\n    {file}: {content[:300]!r}", flush=True)
    if findings:
        raise UserError(f"{findings} kinds of findings")


if __name__ == "__main__":
    command_line.run(main, FLAGS)
