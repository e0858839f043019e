"""environment.sh: which interpreter it takes, and what it says where none will do."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture
def find(tmp_path):
    """Runs `find_python` where interpreters of the given versions are there: find({"python3": "3.14.1"})."""

    def run(versions, **variables):
        for name, version in versions.items():
            parts = ", ".join(version.split("."))
            program = tmp_path / name
            # This interpreter, which says that it is another one.
            program.write_text(
                f"#!{sys.executable}\nimport platform, sys\nsys.version_info = ({parts})\n"
                f"platform.python_version = lambda: {version!r}\n"
                "sys.argv = ['-c', *sys.argv[3:]] if sys.argv[1] == '-c' and (code := sys.argv[2]) else sys.argv\n"
                "exec(code)\n"
            )
            program.chmod(0o755)
        environment = {**os.environ, "PATH": f"{tmp_path}:/nowhere", **variables}
        environment.pop("PYTHON", None) if "PYTHON" not in variables else None
        script = f"source {ROOT}/environment.sh; find_python"
        return subprocess.run(["/bin/bash", "-c", script], env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("version", ["3.9.0", "3.11.7", "3.13.5"])
def test_python3_is_taken_where_it_fits(find, version):
    done = find({"python3": version, "python3.12": "3.12.1"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "python3\n", "")


@pytest.mark.parametrize("version", ["3.14.0", "3.8.18"])
def test_else_the_newest_that_fits_and_it_says_why(find, version):
    done = find({"python3": version, "python3.10": "3.10.1", "python3.12": "3.12.1"})
    assert (done.returncode, done.stdout) == (0, "python3.12\n")
    assert done.stderr == f"using python3.12: python3 is Python {version}, TensorFlow has releases for 3.9 to 3.13\n"


def test_none_that_fits(find):
    done = find({"python3": "3.14.0"})
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "error: python3 is Python 3.14.0; install Python 3.9 to 3.13, or set PYTHON to one\n"


def test_none_at_all(find):
    assert find({}).stderr == "error: python3 is not there; install Python 3.9 to 3.13, or set PYTHON to one\n"


def test_the_users_choice_is_not_replaced(find):
    versions = {"python3": "3.11.0", "mine": "3.12.3", "old": "3.8.1"}
    assert find(versions, PYTHON="mine").stdout == "mine\n"
    done = find(versions, PYTHON="old")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "error: PYTHON=old is Python 3.8.1, it must be Python 3.9 to 3.13\n"


def test_pyenvs_interpreters_are_found_though_not_chosen(find, tmp_path):
    versions = tmp_path / "versions" / "bin"
    versions.mkdir(parents=True)
    (versions / "python3.13").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "pyenv").write_text(f'#!/bin/bash\n[ "$*" = "prefix 3.13" ] && echo {tmp_path}/versions\n')
    (tmp_path / "python3.13").write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    for path in (versions / "python3.13", tmp_path / "pyenv", tmp_path / "python3.13"):
        path.chmod(0o755)
    done = find({"python3": "3.14.0"})
    assert (done.returncode, done.stdout) == (0, f"{versions}/python3.13\n")
    assert find({"python3": "3.14.0"}, PYTHON="python3.13").stdout == f"{versions}/python3.13\n"


def test_an_environment_of_another_python_is_replaced_where_one_is_asked_for(tmp_path):
    for name, version in (("python3", "3.11.0"), ("python3.12", "3.12.1")):
        # An interpreter whose `-m venv --clear FOLDER` copies itself there.
        program = tmp_path / name
        program.write_text(
            f'#!/bin/bash\nif [ "$1 $2" = "-m venv" ]; then rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; '
            f'cp "$0" "$4/bin/pip"; else [ -n "$2" ] && case "$2" in *platform*) echo Python {version};; esac; fi\n'
        )
        program.chmod(0o755)

    def prepare(**variables):
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", **variables}
        script = f"source {ROOT}/environment.sh; make_venv; version_of .venv/bin/python"
        return subprocess.run(
            ["/bin/bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert prepare() == "Python 3.11.0\n"
    (tmp_path / ".venv" / "mine").write_text("")
    assert prepare() == prepare(PYTHON="python3") == "Python 3.11.0\n"
    assert (tmp_path / ".venv" / "mine").exists()
    replaced = prepare(PYTHON="python3.12")
    assert replaced == "replacing .venv: it has Python 3.11.0, PYTHON asks for Python 3.12.1\nPython 3.12.1\n"
    assert not (tmp_path / ".venv" / "mine").exists()
