"""The protocol of new items end to end: runs, the table, and what is refused."""

import json

import pytest

from katrec.data.cold_items import hold_out
from katrec.data.dataset import load
from tests.command_lines import SMALL

MODELS = {"sasrec": "SASRec", "katrec": "KATRec", "katrec_next_item": "KATRec (next item)"}


@pytest.fixture(scope="module")
def cold(command, tiny_raw, datasets_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cold")
    datasets = folder / "datasets"
    datasets.mkdir()
    (datasets / "tiny").symlink_to(datasets_dir / "tiny")
    own = datasets_dir / "tiny" / "flags.txt"
    own.write_text("\n".join([*SMALL, "--pretrain_epochs=1", "--pretrain_kg_epochs=1"]))
    extra = datasets_dir / "tiny" / "katrec_next_item-cold.txt"
    extra.write_text("--similar_items=4")
    arguments = ["tiny", f"--datasets_dir={datasets}", f"--runs_dir={folder}/runs", f"--results_dir={folder}/results"]
    arguments += [f"--models={','.join(MODELS)}", "--seeds=1", "--cold_item_share=0.3", "--cold_seed=3"]
    done = command("katrec.experiments", *arguments)
    own.unlink()
    extra.unlink()
    assert done.returncode == 0, done.stderr
    return folder, arguments, done.stdout


def test_the_table_has_the_runs_numbers(cold, tiny_dataset):
    folder, _, printed = cold
    text = (folder / "results" / "tiny" / "cold.md").read_text()
    assert text in printed and "0.3 of the items, drawn with seed 3" in text
    rows = {
        cells[0]: cells[1:] for cells in (row.strip("| ").split(" | ") for row in text.splitlines()) if len(cells) == 7
    }
    assert [name.split(" (")[0] for name in rows if name][-6:-3] == [
        "random",
        "popularity of its neighbours",
        "content kNN",
    ]
    for model, title in MODELS.items():
        result = json.loads((folder / f"runs/tiny/cold-0.3-3/{model}-seed1/result.json").read_text())
        groups = result["test_groups"]["target"]
        cold_users, warm = groups["cold"], groups["warm"]
        values = [
            one[metric]
            for one in (cold_users["among_cold"], cold_users["full"], warm["full"])
            for metric in ("NDCG@10", "Hit@10")
        ]
        assert [cell.strip("*<u>/") for cell in rows[title]] == [f"{value:.4f}" for value in values]
    dataset = hold_out(tiny_dataset, 0.3, 3)
    assert cold_users["users"] == dataset.is_cold[dataset.test[dataset.test >= 0]].sum()
    assert cold_users["users"] + warm["users"] == (dataset.test >= 0).sum()
    numbers = json.loads((folder / "results" / "tiny" / "cold.json").read_text())
    assert [one["model"] for one in numbers["runs"]] == list(MODELS) and len(numbers["simple"]) == 3
    assert [one["flags"]["similar_items"] for one in numbers["runs"]] == [0, 0, 4]
    assert not (folder / "results" / "tiny" / "table2.md").exists()


@pytest.mark.slow
def test_such_a_run_is_evaluated_exported_and_explained(cold, command, datasets_dir):
    folder, *_ = cold
    run = folder / "runs/tiny/cold-0.3-3/katrec_next_item-seed1"
    result = json.loads((run / "result.json").read_text())
    done = command("katrec.evaluate", f"--output_dir={run}")
    assert done.returncode == 0 and f"NDCG@10 {result['test']['full']['NDCG@10']:.4f}" in done.stdout
    done = command("katrec.export", f"--output_dir={run}", f"--saved_model={folder}/model")
    assert done.returncode == 0, done.stderr
    dataset = hold_out(load(str(datasets_dir), "tiny"), 0.3, 3)
    names = dataset.raw_ids("item")
    history = [names[item] for item in range(24) if not dataset.is_cold[item]][:3]
    arguments = [f"--saved_model={folder}/model", f"--history={','.join(history)}", f"--datasets_dir={datasets_dir}"]
    done = command("katrec.recommend", *arguments, "--k=4", "--cold_slots=2", "--explain", "--format=json")
    assert done.returncode == 0, done.stderr
    items = json.loads(done.stdout)
    assert sorted(one["cold"] for one in items) == [False, False, True, True]
    assert {one["item"] for one in items if one["cold"]} <= {names[item] for item in dataset.cold}
    assert all(one["explanation"]["paths"] for one in items if one["cold"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--ablations=level1", "--models=katrec"], "--cold_item_share: its table has models, no --ablations"),
        (["--cold_item_share=1.5"], "--cold_item_share"),
    ],
)
def test_what_does_not_go_together(cold, command, arguments, message):
    done = command("katrec.experiments", *cold[1], *arguments)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
