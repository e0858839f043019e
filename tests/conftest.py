import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

# A graphics card would give other rounding than the tests' bounds allow.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import pytest

from katrec.data.dataset import load
from katrec.settings import Settings
from tests import tiny

ROOT = Path(__file__).parent.parent
SMALL = {
    "max_sequence_length": 8,
    "entity_dim": 8,
    "propagation_dims": (4, 4),
    "hidden_dim": 16,
    "relation_dim": 4,
    "batch_size": 16,
    "kg_batch_size": 32,
}


def slow_but(names, *quick):
    """The names as parameters; those that are not quick are left to tests/slow.sh."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


def pytest_report_header():
    """The stack, for the table in docs/versions.md."""
    versions = {item.name.lower().replace("_", "-"): item.version for item in metadata.distributions()}
    stack = [name for name in ("tensorflow", "tensorflow-addons", "tf-keras", "numpy", "pandas") if name in versions]
    return f"Python {platform.python_version()}, " + ", ".join(f"{name} {versions[name]}" for name in stack)


@pytest.fixture
def generator():
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def tiny_raw(tmp_path_factory):
    """Folder of the tiny data set's atomic files."""
    return tiny.write_atomic(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="session")
def datasets_dir(tiny_raw, tmp_path_factory):
    """Folder with the prepared tiny data set."""
    folder = tmp_path_factory.mktemp("datasets")
    tiny.prepare(tiny_raw, folder)
    return folder


@pytest.fixture(scope="session")
def tiny_dataset(datasets_dir):
    return load(str(datasets_dir), "tiny")


@pytest.fixture
def make_settings():
    """Makes a small run's settings: make_settings(model="katrec", train_steps=3)."""

    def make(**values):
        return Settings(**{**SMALL, **values})

    return make


@pytest.fixture(scope="session")
def command():
    """Runs a module as a command: command("preprocess", "--dataset=x") gives the finished process."""

    def run(module, *arguments, **kwargs):
        return subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            **kwargs,
        )

    return run


@pytest.fixture(scope="session")
def ml_100k_dir(command, tmp_path_factory):
    """Folder with the prepared MovieLens-100K."""
    folder = tmp_path_factory.mktemp("ml-100k")
    done = command("preprocess", "--dataset=ml-100k", f"--datasets_dir={folder}")
    assert done.returncode == 0, done.stderr
    return folder
