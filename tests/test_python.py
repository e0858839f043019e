"""The Python way in: README's example as it stands, and what it says to wrong calls."""

import dataclasses
import json
import os
import platform
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import katrec
from katrec.common.command_line import FlagError, UserError
from tests.conftest import ROOT, SMALL

QUICK = katrec.Settings(**{**SMALL, "model": "sasrec", "train_steps": 4, "eval_every_steps": 2})


@pytest.fixture(scope="module")
def run(datasets_dir, tmp_path_factory):
    return katrec.fit("tiny", QUICK, str(tmp_path_factory.mktemp("python") / "run"), str(datasets_dir))


def test_the_readme_example_runs_as_it_is(tmp_path, monkeypatch, generator, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text()
    code = re.findall(r"```python\n(.*?)```", text[text.index("## Your own data") :], flags=re.DOTALL)[0]
    # Dense enough for the default filters.
    rows = [(user, item, time) for user in range(60) for time, item in enumerate(generator.permutation(60)[:20])]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    triplets = pd.DataFrame([(item, "genre", f"genre {item % 5}") for item in range(60)])
    interactions.to_csv("interactions.csv", index=False)
    triplets.set_axis(["head_id", "relation_id", "tail_id"], axis=1).to_csv("triplets.csv", index=False)
    # The example's own settings train for minutes: the same call with few steps and small tables.
    small = ", ".join(f"{name}={value!r}" for name, value in {**SMALL, "train_steps": 6, "eval_every_steps": 3}.items())
    code, changed = re.subn(r'Settings\(model="katrec".*?\)', f'Settings(model="katrec", {small})', code)
    history = ["5", "17", "18"]
    code, asked = re.subn(r"recommend\(\[\[.*?\]\]", f"recommend([{history!r}]", code)
    assert changed == asked == 1
    namespace: dict = {}
    exec(compile(code, "README.md", "exec"), namespace)  # noqa: S102
    [items] = namespace["items"]
    assert len(items) == 5 and not {item for item, _ in items} & set(history)
    printed = capsys.readouterr().out
    assert f"{namespace['run'].metrics['test']['full']['NDCG@10']}" in printed
    assert "differ from the model's by at most" in printed


def test_a_run_is_what_the_command_writes(run, datasets_dir, command, tmp_path):
    arguments = [
        f"--{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in {**SMALL, "model": "sasrec", "train_steps": 4, "eval_every_steps": 2}.items()
    ]
    done = command(
        "katrec.train", "--dataset=tiny", f"--datasets_dir={datasets_dir}", f"--output_dir={tmp_path}", *arguments
    )
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "result.json").read_text())
    assert run.metrics == {split: written[split] for split in ("valid", "test")}
    assert katrec.Run(str(tmp_path)).settings == run.settings == QUICK


def test_a_finished_run_is_returned_and_evaluated(run, datasets_dir, capsys):
    again = katrec.fit("tiny", QUICK, run.output_dir, str(datasets_dir))
    assert again.metrics == run.metrics and "is finished" in capsys.readouterr().out
    assert again.evaluate("valid") == run.metrics["valid"]
    assert again.evaluate("test", num_negatives=1)["sampled"]["Hit@5"] == 1


def test_an_exported_model_recommends(run, tmp_path):
    model = run.export(str(tmp_path / "model"), max_k=7)
    assert model.max_k == 7
    [items] = model.recommend([["i1", "i2"]], 3)
    assert len(items) == 3
    np.testing.assert_allclose([score for _, score in items], sorted((score for _, score in items), reverse=True))
    with pytest.raises(UserError, match="exists; remove it or choose another name"):
        run.export(str(tmp_path / "model"))


@pytest.mark.parametrize(
    "values, error, message",
    [
        ({"settings": katrec.Settings(model="other")}, UserError, "model=other: choose from bprmf"),
        ({"settings": katrec.Settings(num_heads=3)}, UserError, "num_heads=3 does not divide"),
        ({"dataset": "none"}, UserError, "no prepared data set"),
        (
            {"settings": katrec.Settings(distribution="multi_worker"), "pretrained_dir": "x"},
            FlagError,
            "--pretrained_dir: not with",
        ),
    ],
)
def test_wrong_calls_are_said(datasets_dir, tmp_path, values, error, message):
    arguments = {"dataset": "tiny", "output_dir": str(tmp_path / "run"), "datasets_dir": str(datasets_dir), **values}
    with pytest.raises(error, match=message):
        katrec.fit(**arguments)
    assert not (tmp_path / "run").exists()


def test_other_settings_need_another_directory(run, datasets_dir):
    with pytest.raises(UserError, match=r"made with other settings: --seed=2 \(was 1\)"):
        katrec.fit("tiny", dataclasses.replace(QUICK, seed=2), run.output_dir, str(datasets_dir))


def test_names_of_the_package():
    assert set(katrec.__all__) == {name for name in katrec.__all__ if getattr(katrec, name)}
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        katrec.nothing  # noqa: B018


KERAS_3_FIRST = """
import sys, types
sys.modules["tensorflow"] = types.SimpleNamespace(keras=types.SimpleNamespace(__version__="3.9.1"))
import katrec
"""


def test_keras_3_loaded_before_is_said():
    done = subprocess.run([sys.executable, "-c", KERAS_3_FIRST], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "ImportError: TensorFlow was imported before katrec and brought Keras 3"
    )


# What TensorFlow needs where it is imported first: from Python 3.12 on it must be asked for Keras 2.
KERAS_2 = {"TF_USE_LEGACY_KERAS": "1"} if sys.version_info >= (3, 12) else {}


def printed(program, given):
    """Returns what a program prints with `given` in its environment, which says nothing else of oneDNN."""
    environment = {name: text for name, text in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"} | given
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tensorflow_may_be_imported_first():
    assert printed("import tensorflow, katrec; print(katrec.Settings().model)", KERAS_2) == "katrec\n"


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="asked for on x86 processors alone")
@pytest.mark.parametrize(("given", "expected"), [({}, True), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, False)])
def test_products_are_onednns_unless_the_environment_says_no(given, expected):
    program = "import katrec; from tensorflow.python.util import _pywrap_util_port as port; print(port.IsMklEnabled())"
    assert printed(program, given) == f"{expected}\n"


def test_onednn_is_not_asked_for_once_tensorflow_is_loaded():
    """It would not come, and the layers would believe that it is there."""
    program = "import os, tensorflow, katrec; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"
    assert printed(program, KERAS_2) == "None\n"
