"""Two TensorFlow stacks: the same seeds give the same losses, and each reads what the other wrote."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from katrec.common.threads import threads
from katrec.models.registry import MODELS
from tests.conftest import ROOT
from tests.stack import SETTINGS, STOPPED_AT

pytestmark = pytest.mark.stacks
OTHER = {"this": "other", "other": "this"}


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
    _on_both(pythons, lambda name: ["write", folders[name]])
    return folders


@pytest.fixture(scope="module")
def read(pythons, folders):
    """What each stack reads of the other's, by the reader's name."""
    return _on_both(pythons, lambda name: ["read", folders[name], folders[OTHER[name]]])


def _on_both(pythons, arguments):
    """Runs tests.stack on both at the same time; returns what each printed last, from JSON."""
    environment = {**os.environ, **threads(1)}

    def run(name):
        command = [pythons[name], "-m", "tests.stack", *map(str, arguments(name))]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1]) if arguments(name)[0] == "read" else None

    with ThreadPoolExecutor() as both:
        return dict(zip(pythons, both.map(run, pythons)))


def _losses(folder, model):
    """Both losses of each step."""
    rows = [json.loads(line) for line in (folder / model / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, SETTINGS["train_steps"] + 1))
    return np.array([[row["loss"], row["transr_loss"]] for row in rows])


def test_the_stacks_are_two(pythons):
    code = "import importlib.metadata; print(importlib.metadata.version('tensorflow'))"
    assert len({subprocess.check_output([python, "-c", code]) for python in pythons.values()}) == 2


@pytest.mark.parametrize("model", MODELS)
def test_the_losses_of_the_first_100_steps_agree(folders, model):
    this, other = (_losses(folder / "runs", model) for folder in folders.values())
    np.testing.assert_allclose(this, other, rtol=1e-4)
    assert np.ptp(this[:, 0]) > 1e-3  # They do change.


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("reader", OTHER)
def test_a_run_that_was_stopped_goes_on_on_the_other(folders, read, reader, model):
    continued, whole = _losses(folders[reader] / "continued", model), _losses(folders[OTHER[reader]] / "runs", model)
    # It was not begun anew: up to there the rows are the writer's, to the last digit.
    np.testing.assert_array_equal(continued[: STOPPED_AT - 1], whole[: STOPPED_AT - 1])
    np.testing.assert_allclose(continued, whole, rtol=1e-4)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("reader", OTHER)
def test_the_best_weights_rank_the_same_on_the_other(folders, read, reader, model):
    result = json.loads((folders[OTHER[reader]] / "runs" / model / "result.json").read_text())
    for ranking, metrics in read[reader][model]["metrics"].items():
        assert metrics == pytest.approx(result["test"][ranking], abs=1e-9)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("reader", OTHER)
def test_a_saved_model_recommends_the_same_on_the_other(folders, read, reader, model):
    there = json.loads((folders[OTHER[reader]] / "recommended.json").read_text())[model]
    for expected, items in zip(there, read[reader][model]["recommended"]):
        assert [item for item, _ in items] == [item for item, _ in expected]
        np.testing.assert_allclose([score for _, score in items], [score for _, score in expected], rtol=1e-5)
