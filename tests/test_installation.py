"""The wheel and the source archive, installed with what they ask for into an empty environment: the commands work."""

import os
import shutil
import subprocess
import sys
import tarfile

import pytest

from tests.command_lines import FILTERS, SMALL
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Folder with the source archive of what git would commit, and the wheel that was made of it."""
    folder = tmp_path_factory.mktemp("archives")
    tree = folder / "tree"
    everywhere = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
    at_the_top = shutil.ignore_patterns("runs", "models", "site", "build")
    shutil.copytree(
        ROOT,
        tree,
        ignore=lambda path, names: everywhere(path, names) | (path == str(ROOT) and at_the_top(path, names) or set()),
    )
    _run([sys.executable, "-m", "build", "--outdir", folder, tree], folder)
    return folder


@pytest.fixture(scope="module")
def program(archives, tmp_path_factory):
    """Runs a console script of an environment that has the wheel and what it asks for: program("katrec-train", …)."""
    folder = tmp_path_factory.mktemp("outside")
    _run([sys.executable, "-m", "venv", "environment"], folder)
    [wheel] = archives.glob("*.whl")
    _run(["environment/bin/python", "-m", "pip", "install", "--quiet", wheel], folder)

    def run(name, *arguments):
        return _run([folder / "environment" / "bin" / name, *arguments], folder)

    return run


def _run(command, folder):
    environment = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def test_the_source_archive_has_what_the_shell_scripts_need(archives):
    [path] = archives.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    needed = {"setup.py", "environment.sh", "run_experiments.sh", "constraints.txt", "constraints-test.txt"}
    assert needed | {"tests/run.sh", "docs/fidelity.md", "datasets/ml-100k/flags.txt", "examples/server.html"} <= names


def test_from_raw_files_to_recommendations_outside_the_tree(program, tiny_raw):
    program("katrec-preprocess", "--dataset=tiny", "--source=atomic", f"--raw_dir={tiny_raw}", *FILTERS)
    program("katrec-train", "--model=katrec", "--output_dir=run", *SMALL)
    exported = program("katrec-export", "--output_dir=run", "--saved_model=saved")
    assert "differ from the model's by at most" in exported
    recommended = program("katrec-recommend", "--saved_model=saved", "--history=i0,i4", "--k=3")
    lines = [line for line in recommended.splitlines() if "Film" in line]
    assert len(lines) == 3 and not any(line.split()[0] in ("i0", "i4") for line in lines)
    planned = program("katrec-experiments", "--dry_run")
    assert "katrec/datasets/ml-100k/flags.txt" in planned
