"""Downloads, against a server on the loopback interface; archives that are not what they should be."""

import hashlib
import http.server
import io
import itertools
import json
import os
import tarfile
import threading
import time
import zipfile

import numpy as np
import pytest

from katrec.common import files
from katrec.common.command_line import UserError
from preprocess import catalog, fetch
from preprocess.catalog import Remote

CONTENT = np.random.default_rng(0).bytes(300_000)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT as the server's attributes say.

    Attributes of the server:
      ranges: whether it goes on in the middle, where the file is still of version `etag`.
      breaks: so many answers end in the middle.
      status: of every answer.
      mood: how it misbehaves (`MOODS`).
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        self.close_connection = True
        given = self.headers.get("Range")
        server.requests.append(given)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        if server.ranges and given and self.headers.get("If-Range") == server.etag:
            start = int(given.split("=")[1].rstrip("-"))
            if start >= len(CONTENT):
                self.send_error(416)
                return
        headers = {"Content-Length": str(len(CONTENT) - start)}
        if server.etag:
            headers["ETag"] = server.etag
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        status, body = 206 if start else 200, CONTENT[start:]
        if server.breaks:
            server.breaks -= 1
            body = body[: len(body) // 2]
        status, headers, body = MOODS[server.mood](status, headers, body)
        self.send_response(status)
        # Else a client may ask again on a connection that is being closed.
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def without(headers, *names):
    return {name: value for name, value in headers.items() if name not in names}


PAGE = b"<!DOCTYPE html><html>please log in</html>"
MOODS = {
    "kind": lambda status, headers, body: (status, headers, body),
    "a page": lambda status, headers, body: (200, {"Content-Type": "text/html", "Content-Length": len(PAGE)}, PAGE),
    "a page that says nothing": lambda status, headers, body: (200, {"Content-Length": len(PAGE)}, PAGE),
    "nothing": lambda status, headers, body: (200, {"Content-Length": 0}, b""),
    "no length": lambda status, headers, body: (200, without(headers, "Content-Length"), body[:1000]),
    "many": lambda status, headers, body: (200, {"Content-Length": "many"}, body),
    "less than nothing": lambda status, headers, body: (200, {"Content-Length": "-5"}, body),
    "another range": lambda status, headers, body: (206, {**headers, "Content-Range": "bytes 5-9/10"}, body),
    "no range": lambda status, headers, body: (206, without(headers, "Content-Range"), body),
    "half a chunk": lambda status, headers, body: (200, {"Transfer-Encoding": "chunked"}, b"400\r\nxxx"),
    "a chunk": lambda status, headers, body: (200, {"Transfer-Encoding": "chunked"}, b"3\r\nxyz\r\n0\r\n\r\n"),
    "a file here": lambda status, headers, body: (302, {"Location": "file:///etc/hostname", "Content-Length": 0}, b""),
    "ftp": lambda status, headers, body: (302, {"Location": "ftp://127.0.0.1/x", "Content-Length": 0}, b""),
    "in circles": lambda status, headers, body: (302, {"Location": "/file", "Content-Length": 0}, b""),
}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetch, "WAIT_SECONDS", 0)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.ranges, server.breaks, server.status, server.requests = True, 0, 200, []
        server.mood, server.etag = "kind", '"one"'
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def remote(server):
    return Remote(f"http://127.0.0.1:{server.server_port}/file", "file", "0.3 MB")


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("breaks", [0, 2])
def test_broken_downloads_go_on(server, remote, tmp_path, ranges, breaks):
    server.ranges, server.breaks = ranges, breaks
    path = fetch.fetch(remote, str(tmp_path))
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.requests[0] is None and len(server.requests) == 1 + breaks
    if breaks:
        assert server.requests[1:] == ["bytes=150000-", "bytes=225000-" if ranges else "bytes=150000-"]
    assert json.loads((tmp_path / "checksums.json").read_text()) == {"file": files.sha256(path)}
    fetch.fetch(remote, str(tmp_path))
    assert len(server.requests) == 1 + breaks


# A note of this version beside bytes of another one would be a lie that nothing tells.
@pytest.mark.parametrize(
    "part, note",
    [
        *itertools.product([CONTENT[:1000], CONTENT, b"older" * 100, CONTENT + b"more"], [None, '"zero"', 'W/"one"']),
        *((part, '"one"') for part in (CONTENT[:1000], CONTENT, CONTENT + b"more")),
    ],
)
def test_a_part_of_another_version_is_not_used(server, remote, tmp_path, part, note):
    (tmp_path / "file.part").write_bytes(part)
    if note:
        (tmp_path / "file.part.json").write_text(json.dumps({"url": remote.url, "ETag": note}))
    fetch.fetch(remote, str(tmp_path))
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert sorted(one.name for one in tmp_path.iterdir()) == ["checksums.json", "file"]
    assert (server.requests[0] is not None) == (note in ('"one"', '"zero"'))


@pytest.mark.parametrize(
    "mood, message",
    [
        ("a page", "a web page came instead of the file"),
        ("a page that says nothing", "a web page came instead of the file"),
        ("nothing", "only 0 bytes came, it has at least 1"),
        ("no length", "the server does not say how long the file is"),
        ("many", "the server does not say how long the file is"),
        ("less than nothing", "the server does not say how long the file is"),
        ("another range", "cannot be fetched .* with another part"),
        ("no range", "cannot be fetched .* with another part"),
        ("half a chunk", "cannot be fetched"),
        ("a file here", "cannot be fetched .*file:///etc/hostname"),
        ("ftp", "cannot be fetched .*ftp://127.0.0.1"),
        ("in circles", "cannot be fetched .*redirects"),
    ],
)
def test_a_wrong_answer_is_no_file(server, remote, tmp_path, mood, message):
    server.mood = mood
    with pytest.raises(UserError, match=message) as error:
        fetch.fetch(remote, str(tmp_path))
    assert "\n" not in str(error.value)
    assert not {"file", "checksums.json"} & {one.name for one in tmp_path.iterdir()}
    server.mood = "kind"
    fetch.fetch(remote, str(tmp_path))
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_size_and_beginning_are_looked_at(server, remote, tmp_path):
    for changes, message in (
        ({"least_bytes": 300_001}, "only 300,000 bytes came, it has at least 300,001"),
        ({"most_bytes": 299_999}, "the file has 300,000 bytes, it should have at most 299,999"),
        ({"begins": rb"PK\x03\x04"}, "it begins with .*, this is not the file"),
    ):
        with pytest.raises(UserError, match=message):
            fetch.fetch(remote._replace(**changes), str(tmp_path))
        assert not list(tmp_path.iterdir())
    server.mood = "a chunk"
    with pytest.raises(UserError, match="more than 2 bytes come"):
        fetch.fetch(remote._replace(most_bytes=2), str(tmp_path))
    fetch.fetch(remote, str(tmp_path))
    assert (tmp_path / "file").read_bytes() == b"xyz"


def test_a_file_without_a_length_needs_a_known_sum(server, remote, tmp_path):
    server.mood = "no length"
    known = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(UserError, match="the SHA-256 is"):
        fetch.fetch(remote._replace(sha256=known), str(tmp_path))


def test_a_server_that_drips_is_left(monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.05)

    def drip():
        while True:
            time.sleep(0.01)
            yield b"x"

    with pytest.raises(OSError, match="bytes in 0 seconds"):
        list(fetch._not_too_slow(drip()))


def test_every_remote_says_what_it_is():
    for entry in catalog.ENTRIES.values():
        for remote in (*entry.interactions, *entry.kgat, catalog.FREEBASE):
            assert remote.url.startswith("https://") and remote.begins and 1 < remote.least_bytes < remote.most_bytes


def test_what_cannot_be_fetched_is_said_and_kept(server, remote, tmp_path):
    server.breaks = 100
    with pytest.raises(UserError, match="cannot be fetched .* the same command tries again, and goes on"):
        fetch.fetch(remote, str(tmp_path))
    assert (tmp_path / "file.part").stat().st_size > 250_000
    server.breaks = 0
    assert fetch.fetch(remote, str(tmp_path))
    server.status = 404
    with pytest.raises(UserError, match="the server answers 404"):
        fetch.fetch(remote._replace(name="other"), str(tmp_path))


def test_checksums(server, remote, tmp_path):
    with pytest.raises(UserError, match="the SHA-256 is .*, it should be 0+;"):
        fetch.fetch(remote._replace(sha256="0" * 64), str(tmp_path))
    assert not (tmp_path / "file").exists()
    path = fetch.fetch(remote, str(tmp_path))
    with open(path, "ab") as file:
        file.write(b"more")
    with pytest.raises(UserError, match="delete its line in .*checksums.json if it was renewed"):
        fetch.fetch(remote, str(tmp_path))


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in members:
            archive.writestr(info, content)


def write_tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def test_only_the_named_file_leaves_an_archive(tmp_path):
    link = zipfile.ZipInfo("a/data.txt")
    link.external_attr = 0o120777 << 16
    write_zip(tmp_path / "one.zip", [("../evil.txt", "no"), (link, "/etc/passwd"), ("../../data.txt", "yes")])
    symlink = tarfile.TarInfo("data.txt")
    symlink.type, symlink.linkname = tarfile.SYMTYPE, "/etc/passwd"
    write_tar(
        tmp_path / "two.tgz",
        [(tarfile.TarInfo("/evil.txt"), b"no"), (symlink, b""), (tarfile.TarInfo("/abs/data.txt"), b"yes")],
    )
    for name in ("one.zip", "two.tgz"):
        folder = tmp_path / name[:3]
        folder.mkdir()
        path = fetch.unpack(str(tmp_path / name), "data.txt", str(folder))
        assert [one.name for one in folder.iterdir()] == ["data.txt"]
        with open(path) as file:
            assert file.read() == "yes"
        with pytest.raises(UserError, match="holds no file other.txt"):
            fetch.unpack(str(tmp_path / name), "other.txt", str(folder))


def test_bombs_and_rubbish_leave_nothing(tmp_path):
    write_zip(tmp_path / "bomb.zip", [("data.txt", b"0" * (1 << 22))])
    with pytest.raises(UserError, match="more than 1000000 bytes come out of it"):
        fetch.unpack(str(tmp_path / "bomb.zip"), "data.txt", str(tmp_path), max_bytes=1_000_000)
    (tmp_path / "rubbish.tar").write_bytes(b"rubbish")
    with pytest.raises(UserError, match="no zip and no tar archive, or damaged"):
        fetch.unpack(str(tmp_path / "rubbish.tar"), "data.txt", str(tmp_path))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bomb.zip", "rubbish.tar"]


def packed(kind):
    """Returns an archive of data.txt with something behind it."""
    content = np.random.default_rng(1).bytes(3000)
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data.txt", content)
    else:
        with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as archive:
            for name in ("data.txt", "other.txt"):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue(), content


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz"])
def test_a_flipped_bit_of_an_archive_is_found(tmp_path, kind):
    archive, content = packed(kind)
    generator, said = np.random.default_rng(2), 0
    for at in [*range(0, 60), *generator.integers(len(archive), size=120)]:
        damaged = bytearray(archive)
        damaged[at] ^= 1 << generator.integers(8)
        (tmp_path / "archive").write_bytes(damaged)
        try:
            path = fetch.unpack(str(tmp_path / "archive"), "data.txt", str(tmp_path))
        except UserError as error:
            said += 1
            assert "\n" not in str(error)
            assert [one.name for one in tmp_path.iterdir()] == ["archive"]
        else:
            # A bit that decides nothing, such as one of a time.
            with open(path, "rb") as file:
                assert file.read() == content
            os.unlink(path)
    assert said > 100


def test_locked_and_unknown_archives_are_said(tmp_path):
    archive, _ = packed("zip")
    central = archive.rindex(b"PK\1\2")
    for at, value in ((6, 1), (8, 99)):
        damaged = bytearray(archive)
        damaged[at] = damaged[central + at + 2] = value
        (tmp_path / "kg_final.txt.zip").write_bytes(bytes(damaged))
        with pytest.raises(UserError, match="cannot be unpacked"):
            fetch.unpack(str(tmp_path / "kg_final.txt.zip"), "data.txt", str(tmp_path))


def test_the_command_says_what_to_bring(command, tmp_path, monkeypatch):
    done = command("preprocess.download", "--dataset=yelp2018", "--graph=freebase", f"--raw_dir={tmp_path}")
    assert done.returncode == 2 and "only --graph=kgat is possible" in done.stderr
    for remote in catalog.ENTRIES["lastfm"].kgat:
        (tmp_path / remote.name).write_text("here already")
    done = command("preprocess.download", "--dataset=lastfm", f"--raw_dir={tmp_path}")
    assert done.returncode == 1
    assert "withdrawn by its authors" in done.stdout and "MIT licence" in done.stdout
    assert "LFM-1b_LEs.txt is missing: LFM-1b is no longer given out" in done.stderr
    assert str(tmp_path) in done.stderr and "Traceback" not in done.stderr
    write_zip(tmp_path / "LFM-1b.zip", [("LFM-1b/LFM-1b_LEs.txt", "1\t2\t3\t4\t5\n")])
    done = command("preprocess.download", "--dataset=lastfm", f"--raw_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert f"python -m preprocess --dataset=lastfm --raw_dir={tmp_path} --kgat_dir={tmp_path}" in done.stdout
    assert (tmp_path / "LFM-1b_LEs.txt").read_text() == "1\t2\t3\t4\t5\n"


def test_the_licence_names_the_parts_that_are_used():
    with_kgat, without = (catalog.licence("amazon-book", kgat) for kgat in (True, False))
    assert "cite He and McAuley 2016" in with_kgat and "cite He and McAuley 2016" in without
    assert "MIT licence" in with_kgat and "Freebase" not in with_kgat
    assert "KB4Rec" in without and "CC BY" in without and "MIT licence" not in without
