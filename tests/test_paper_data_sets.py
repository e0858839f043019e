"""From raw files in the formats of the paper's three data sets to its tables, figures and the page, in a few steps."""

import json
import shutil

import pytest

from preprocess.synthetic import SIZES
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

# What makes the repository's own flags small enough for a test.
FEW_STEPS = [
    "--train_steps=4",
    "--eval_every_steps=2",
    "--checkpoint_every_steps=2",
    "--batch_size=32",
    "--pretrain_epochs=1",
    "--pretrain_kg_epochs=1",
]


@pytest.fixture(scope="module", params=list(SIZES))
def made(request, command, tmp_path_factory):
    """A data set's name, the folder of its runs and that of its results."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    raw, datasets = folder / "raw", folder / "datasets"
    done = command("preprocess.synthesize", f"--like={name}", "--scale=0.003", f"--raw_dir={raw}")
    assert done.returncode == 0, done.stderr
    sources = [f"--raw_dir={raw}", f"--kgat_dir={raw}", f"--datasets_dir={datasets}"]
    done = command("preprocess", f"--dataset={name}", *sources)
    assert done.returncode == 0, done.stderr
    for path in (ROOT / "datasets" / name).glob("*.txt"):
        shutil.copy(path, datasets / name)
        with open(datasets / name / path.name, "a", encoding="utf-8") as file:
            file.write("\n".join(["", *FEW_STEPS]))
    folders = [f"--{kind}_dir={folder / kind}" for kind in ("datasets", "runs", "results")]
    models = ["--models=bprmf,esasrec,katrec,katrec_next_item", "--ablations=all"]
    done = command("katrec.experiments", name, *folders, *models, "--jobs=2")
    assert done.returncode == 0, done.stdout + done.stderr
    return name, folder / "runs" / name, folder / "results" / name


def test_table_1_has_the_papers_row_beside_the_data(made):
    name, _, results = made
    rows = [line.split(" | ") for line in (results / "table1.md").read_text().splitlines()]
    [own] = [row for row in rows if row[0] == f"| {name}"]
    sizes = SIZES[name].scaled(0.003)
    assert own[1:3] == [f"{sizes.users:,}", f"{sizes.items:,}"]
    assert any("paper" in row[0] for row in rows)


def test_tables_2_and_3_have_the_models_and_the_variants(made):
    _, _, results = made
    text = (results / "table2.md").read_text()
    assert "| metric | BPR-MF | eSASRec | KATRec | KATRec (next item) |" in text
    assert "## Table 2 of the paper (100 sampled negatives)" in text
    header = "| metric | KATRec | NoAttention | Level-1 | Connection | NoPretrain | Concat |"
    assert header in (results / "table3.md").read_text()


def test_the_page_and_its_numbers_are_of_the_runs(made):
    _, runs, results = made
    page = (results / "report.html").read_text()
    assert page.count("<svg") == 4
    numbers = json.loads((results / "results.json").read_text())
    assert len(numbers["runs"]) == 4 + 5 + 1
    [own] = [run for run in numbers["runs"] if (run["model"], run["variant"]) == ("katrec_next_item", "none")]
    result = json.loads((runs / "katrec_next_item-seed1" / "result.json").read_text())
    assert own["result"]["test"] == result["test"] and result["step"] == 4
