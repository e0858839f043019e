"""Two TensorFlow stacks: the same seeds give the same losses, and each reads what the other wrote."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from katrec.models.registry import MODELS
from tests.conftest import ROOT
from tests.stack import SETTINGS

pytestmark = pytest.mark.stacks


@pytest.fixture(scope="module")
def pythons():
    """The interpreters of the two stacks by a name."""
    if "OTHER_STACK" not in os.environ:
        pytest.skip("needs a second environment: tests/stacks.sh names it")
    return {"this": sys.executable, "other": os.environ["OTHER_STACK"]}


@pytest.fixture(scope="module")
def folders(pythons, tmp_path_factory):
    """What each stack wrote."""
    folders = {name: tmp_path_factory.mktemp(name) for name in pythons}
    with ThreadPoolExecutor() as both:
        list(both.map(lambda name: _run(pythons[name], "write", folders[name]), pythons))
    return folders


@pytest.fixture(scope="module")
def read(pythons, folders):
    """What each stack reads of each: read[reader][writer]."""
    return {
        reader: {
            writer: json.loads(_run(python, "read", folder).splitlines()[-1]) for writer, folder in folders.items()
        }
        for reader, python in pythons.items()
    }


def _run(python, *arguments):
    done = subprocess.run(
        [python, "-m", "tests.stack", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_stacks_are_two(pythons):
    code = "import tensorflow; print(tensorflow.__version__)"
    versions = {
        subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
        for python in pythons.values()
    }
    assert len(versions) == 2


@pytest.mark.parametrize("model", MODELS)
def test_the_losses_of_the_first_100_steps_agree(folders, model):
    losses = {}
    for name, folder in folders.items():
        rows = [json.loads(line) for line in (folder / "runs" / model / "metrics.jsonl").read_text().splitlines()]
        assert [row["step"] for row in rows] == list(range(1, SETTINGS["train_steps"] + 1))
        losses[name] = np.array([[row["loss"], row["transr_loss"]] for row in rows])
    np.testing.assert_allclose(losses["this"], losses["other"], rtol=1e-4)
    assert np.ptp(losses["this"][:, 0]) > 0.01  # They do change.


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("writer", ["this", "other"])
def test_a_checkpoint_says_the_same_on_both(folders, read, writer, model):
    result = json.loads((folders[writer] / "runs" / model / "result.json").read_text())
    for reader in read:
        for ranking, metrics in read[reader][writer][model]["metrics"].items():
            assert metrics == pytest.approx(result["test"][ranking], abs=1e-9)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("writer", ["this", "other"])
def test_a_saved_model_says_the_same_on_both(read, writer, model):
    first, second = (read[reader][writer][model]["recommended"] for reader in read)
    assert [[item for item, _ in items] for items in first] == [[item for item, _ in items] for items in second]
    scores = [[[score for _, score in items] for items in answer] for answer in (first, second)]
    np.testing.assert_allclose(*scores, rtol=1e-5)
