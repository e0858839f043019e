"""The wheel holds what works outside the source tree: two packages, types, the data sets' flags."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The unpacked wheel of a copy of the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("katrec", "preprocess"):
        shutil.copytree(ROOT / name, folder / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [*ROOT.glob("datasets/*/*.txt"), *ROOT.glob("datasets/*/search.json")]:
        target = folder / "tree" / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, folder / "tree")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", folder / "tree"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_the_wheel_has_two_packages_and_the_flags(installed):
    assert {path.name for path in installed.iterdir() if path.suffix != ".dist-info"} == {"katrec", "preprocess"}
    flags = {path.relative_to(ROOT / "datasets") for path in ROOT.glob("datasets/*/*.txt")}
    assert flags == {
        path.relative_to(installed / "katrec" / "datasets") for path in installed.glob("katrec/datasets/*/*.txt")
    }
    assert (installed / "katrec" / "py.typed").exists() and (installed / "preprocess" / "py.typed").exists()
    [entries] = installed.glob("*.dist-info/entry_points.txt")
    assert "katrec-train = katrec.train:command" in entries.read_text()


def test_experiments_are_planned_outside_the_tree(installed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "katrec.experiments", "--dry_run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"--flagfile={installed}/katrec/datasets/ml-100k/flags.txt" in done.stdout
    assert list(tmp_path.iterdir()) == []


WITHOUT_EXTRAS = """
import importlib, pkgutil, sys
for name in (
    "faiss", "fastapi", "uvicorn", "pydantic", "starlette", "selenium", "pyspark", "pyarrow", "optuna", "mlflow"
):
    sys.modules[name] = None  # Importing it is an ImportError now.
import katrec, preprocess
for package in (katrec, preprocess):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        # What --engine=spark imports, and nothing else does.
        if not module.name.endswith("__main__") and not module.name.startswith("preprocess.spark."):
            importlib.import_module(module.name)
print(len([name for name in sys.modules if name.startswith(("katrec.", "preprocess."))]))
"""


def test_no_module_needs_an_extra():
    done = subprocess.run([sys.executable, "-c", WITHOUT_EXTRAS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
