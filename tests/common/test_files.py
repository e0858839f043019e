"""Files that are whole or absent, checksums that JSON carries, and a folder that one process owns."""

import json
import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from katrec.common import beside, files, lock, sealed
from katrec.common.command_line import UserError


def test_a_file_is_the_new_one_or_the_earlier_one(tmp_path):
    path = tmp_path / "file"
    path.write_text("earlier")
    with pytest.raises(ZeroDivisionError), files.replacing(path) as file:
        file.write("half")
        file.flush()
        raise ZeroDivisionError
    assert path.read_text() == "earlier" and os.listdir(tmp_path) == ["file"]
    with files.replacing(path) as file:
        file.write("new")
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_what_is_written_is_on_the_disk_before_it_takes_the_place(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(os.readlink(f"/proc/self/fd/{handle}")))
    given = os.replace
    monkeypatch.setattr(os, "replace", lambda one, other: (done.append("replaced"), given(one, other)))
    with files.replacing(tmp_path / "file") as file:
        file.write("new")
    assert done[0].startswith(str(tmp_path / "file")) and done[1:] == ["replaced", str(tmp_path)]


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    code = (
        "import os, sys; from katrec.common import files\n"
        "with files.replacing(sys.argv[1]) as file: file.write('half'); file.flush(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "file"], check=False).returncode == -9
    [left] = os.listdir(tmp_path)
    # Another file's, and one of a process that is alive, stay.
    other = beside.new(tmp_path / "file2")
    own = beside.new(tmp_path / "file")
    for path in (other, own):
        with open(path, "w"):
            pass
    assert left not in os.listdir(tmp_path)
    with files.replacing(tmp_path / "file") as file:
        file.write("new")
    assert sorted(os.listdir(tmp_path)) == sorted(["file", os.path.basename(own), os.path.basename(other)])


def test_a_full_disk_names_the_file(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError) as error, files.replacing(tmp_path / "file") as file:
            file.write("x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error.value.filename == str(tmp_path / "file") and not os.listdir(tmp_path)


def test_any_changed_bit_of_sealed_json_is_found(tmp_path):
    path = tmp_path / "one.json"
    value = {"name": "é", "seed": 3, "part": {"a": [1, 2.5, None]}, "seconds": 4.5}
    sealed.write(path, value)
    assert sealed.read(path) == value
    content = path.read_bytes()
    free = range(content.index(b'"seconds"'), content.index(b'"checksum"'))
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        path.write_bytes(changed)
        try:
            found = sealed.read(path)
        except UserError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
        else:
            # Times are not covered, and a checksum of another name is none.
            assert at in free or found == value or set(found) - set(value)
    path.write_text(json.dumps({"seconds": 3, **{name: one for name, one in value.items() if name != "seconds"}}))
    assert sealed.read(path)["seconds"] == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"x"', "null", "[" * 100_000, "{\xff"])
def test_what_is_no_json_object_is_said(tmp_path, text):
    path = tmp_path / "one.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"one\.json: (not JSON|holds no JSON object)"):
        files.read_object(path)


def test_damaged_arrays_are_said(tmp_path):
    path = tmp_path / "one.npz"
    np.savez(path, a=np.arange(50), b=np.ones((3, 2)))
    content = path.read_bytes()
    expected = files.read_arrays(path, "ab")
    for at in range(0, len(content), 7):
        for changed in (content[:at], content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]):
            path.write_bytes(changed)
            try:
                found = files.read_arrays(path, "ab")
            except UserError as error:
                assert "\n" not in str(error)
            else:
                assert {name: one.tolist() for name, one in found.items()} == {
                    name: one.tolist() for name, one in expected.items()
                }
    with pytest.raises(UserError, match="cannot be read"):
        files.read_arrays(tmp_path / "none.npz", "ab")


def test_a_folder_has_one_owner(tmp_path):
    code = "import sys; from katrec.common import lock\nwith lock.owned(sys.argv[1], 'uses'): print('owned')"

    def another():
        return subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)

    with lock.owned(str(tmp_path), "uses"):
        assert f"process {os.getpid()} on" in another().stderr and "uses it" in another().stderr
    assert another().stdout == "owned\n"
