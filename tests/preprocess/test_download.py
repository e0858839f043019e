"""Downloads, against a server on the loopback interface; archives that are not what they should be."""

import http.server
import io
import json
import tarfile
import threading
import zipfile

import numpy as np
import pytest

from katrec.common import files
from katrec.common.command_line import UserError
from preprocess import catalog, fetch
from preprocess.catalog import Remote

CONTENT = np.random.default_rng(0).bytes(300_000)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT as the server's attributes say: `ranges`, `breaks` (answers that end in the middle), `status`."""

    def do_GET(self):
        server = self.server
        server.requests.append(self.headers.get("Range"))
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        if server.ranges and self.headers.get("Range"):
            start = int(self.headers["Range"].split("=")[1].rstrip("-"))
            if start >= len(CONTENT):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        body = CONTENT[start:]
        if server.breaks:
            server.breaks -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetch, "WAIT_SECONDS", 0)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.ranges, server.breaks, server.status, server.requests = True, 0, 200, []
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


def test_a_whole_part_is_taken(server, remote, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    fetch.fetch(remote, str(tmp_path))
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_what_cannot_be_fetched_is_said_and_kept(server, remote, tmp_path):
    server.breaks = 100
    with pytest.raises(UserError, match="cannot be fetched .* the same command goes on"):
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
    with pytest.raises(UserError, match="cannot be unpacked"):
        fetch.unpack(str(tmp_path / "rubbish.tar"), "data.txt", str(tmp_path))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bomb.zip", "rubbish.tar"]


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
