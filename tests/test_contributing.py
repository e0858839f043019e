"""A newcomer who follows CONTRIBUTING.md adds a model to a copy of the tree, and everything knows it."""

import json
import re
import shutil
import subprocess
import sys
import textwrap

import pytest

from katrec.common import files
from tests.command_lines import SMALL
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def copy(datasets_dir, tmp_path_factory):
    """A copy of the tree with the model of CONTRIBUTING.md, and the tiny data set."""
    folder = tmp_path_factory.mktemp("tree")
    for name in ("katrec", "preprocess"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(datasets_dir / "tiny", folder / "datasets" / "tiny")
    (folder / "datasets" / "tiny" / "flags.txt").write_text("\n".join(SMALL))
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text[text.index("## Add a model") : text.index("## Add a data set")]
    module, entry = re.findall(r"```python\n(.*?)    ```", section, flags=re.DOTALL)
    name = re.search(r"`katrec/models/(\w+)\.py`:", section).group(1)
    (folder / "katrec" / "models" / f"{name}.py").write_text(textwrap.dedent(module))
    registry = folder / "katrec" / "models" / "registry.py"
    before = registry.read_text()
    end = before.index("\n}\n", before.index("MODELS = {"))
    registry.write_text(before[:end] + "\n" + textwrap.indent(textwrap.dedent(entry).rstrip(), "    ") + before[end:])
    return folder


def run(copy, module, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_tables_figures_and_numbers_follow(copy):
    run(copy, "katrec.experiments", "tiny", "--models=bprmf,popularity")
    results = copy / "runs" / "results" / "tiny"
    assert "| metric | BPR-MF | Popularity |" in (results / "table2.md").read_text()
    numbers = json.loads((results / "results.json").read_text())
    assert set(numbers["figure4"]["NDCG@10"]) == {"BPR-MF", "Popularity"}
    # The best of its biases is that of the item with most interactions.
    assert files.read_json(copy / "runs" / "tiny" / "popularity-seed1" / "result.json")["model"] == "popularity"


def test_commands_follow(copy):
    assert "popularity" in run(copy, "katrec.train", "--help")
    arguments = ["--output_dir=runs/mine", *SMALL, "--model=popularity", "--train_steps=200", "--learning_rate=0.1"]
    run(copy, "katrec.train", *arguments, "--eval_every_steps=200")
    run(copy, "katrec.export", "--output_dir=runs/mine", "--saved_model=models/mine")
    lines = run(copy, "katrec.recommend", "--saved_model=models/mine", "--history=i1", "--k=24", "--format=csv")
    ranked = [line.split(",")[1] for line in lines.splitlines()[1:]]
    popular = run(copy, "katrec.recommend", "--saved_model=models/mine", "--history=", "--k=24", "--format=csv")
    counts = {line.split(",")[1]: float(line.split(",")[3]) for line in popular.splitlines()[1:]}
    # Its scores are the logarithms of the shares, as good as 200 steps make them.
    assert len(ranked) == 23
    assert sum(counts[item] for item in ranked[:5]) > sum(counts[item] for item in ranked[-5:])
