"""Every benchmark runs; its figures are not judged here."""

import json
import os
import re
import shutil

import numpy as np
import pytest

from benchmarks import peers, step_profile
from benchmarks.synthetic import SIZES, like
from katrec.evaluation.ranking import Evaluator
from katrec.models.build import build
from katrec.training.batches import Batches
from katrec.training.step import TrainSteps
from tests.command_lines import SMALL
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("train_step", ["--steps=40", "--batch_size=8", "--rounds=1"]),
        pytest.param("train_step", ["--model=bert4rec", "--mixed_precision", "--rounds=1"], marks=pytest.mark.slow),
        pytest.param(
            "train_step",
            ["--model=katrec_next_item", "--recurrent_inputs", "--batch_size=8", "--rounds=1"],
            marks=pytest.mark.slow,
        ),
        pytest.param("propagation", [], marks=pytest.mark.slow),
        pytest.param("evaluation", [], marks=pytest.mark.slow),
        pytest.param("inference", ["--requests=10"], marks=pytest.mark.slow),
        ("preprocessing", []),
    ],
)
def test_it_prints_figures_beside_a_bound(command, name, arguments):
    done = command(f"benchmarks.{name}", "--dataset_like=ml-100k", "--scale=0.3", *arguments)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) > 3 and any("bound" in row for row in rows)
    assert re.search(rf"`python -m benchmarks.{name} --dataset_like=ml-100k .*peak memory \d+ MiB", done.stdout)


@pytest.mark.slow
def test_a_step_is_told_apart_by_operations(command):
    small = ["--dataset_like=ml-100k", "--scale=0.2", "--batch_size=8", "--rows=400"]
    done = command("benchmarks.step_profile", *small)
    assert done.returncode == 0, done.stderr
    rows = [row.strip("| ").split(" | ") for row in done.stdout.splitlines() if row.startswith("| ") and "%" in row]
    *parts, whole = rows
    assert {"encoder", "trans_r", "transformer"} <= {part for part, *_ in parts}
    assert any(operation == "SparseMatrixMatMul" for _, operation, *_ in parts)
    for column in (2, 3):
        assert sum(float(one[column]) for one in parts) == pytest.approx(float(whole[column]), rel=0.05)
    assert float(whole[3]) <= float(whole[2])


def test_an_operations_time_is_without_what_runs_inside_it():
    # a takes 10, b and c inside it 2 and 3, d inside c 1; e comes after all.
    events = [(0, 10, "a:A", "A"), (1, 2, "b:B", "B"), (4, 3, "c:C", "C"), (5, 1, "d:D", "D"), (20, 4, "e:E", "E")]
    found = step_profile.own_intervals([*events, (0, 50, "ExecutorState::Process", "")])
    assert {name: own for name, _, own in found} == {
        "a:A": [(0, 1), (3, 4), (7, 10)],
        "b:B": [(1, 3)],
        "c:C": [(4, 5), (6, 7)],
        "d:D": [(5, 6)],
        "e:E": [(20, 24)],
    }


def test_an_instant_is_divided_among_the_operations_that_run_in_it():
    # Alone 0 to 2, two until 4, three until 6, the third alone from 8 to 9; nothing between.
    assert step_profile.shared([[(0, 4)], [(2, 6)], [(4, 6), (8, 9)], [(4, 6)]]) == pytest.approx(
        [2 + 1, 1 + 2 / 3, 2 / 3 + 1, 2 / 3]
    )


def test_an_operations_part_is_the_layer_around_it():
    assert step_profile.part_of("while/body/_1/gradient_tape/while/trans_r/matmul/MatMul:MatMul") == "trans_r"
    assert step_profile.part_of("while/body/_1/while/AddN:AddN") == "–"


@pytest.mark.slow
def test_a_step_is_timed_beside_that_of_another_checkout(command, tmp_path):
    small = ["--dataset_like=ml-100k", "--scale=0.3", "--batch_size=8", "--pairs=2"]
    for package in ("katrec", "benchmarks"):
        shutil.copytree(os.path.join(ROOT, package), tmp_path / package)
    with open(tmp_path / "katrec" / "training" / "step.py", "a") as file:
        file.write('print("the other checkout\'s step")\n')
    done = command("benchmarks.before_after", f"--before={tmp_path}", *small)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the other checkout's step") == 1
    assert re.search(r"\| after / before, median of pairs \| \d\.\d{4} \|", done.stdout)
    done = command("benchmarks.before_after", "--before=nowhere", *small)
    assert done.returncode == 2 and "has no benchmarks/train_step.py" in done.stderr


@pytest.mark.slow
def test_a_start_is_timed(command, datasets_dir):
    arguments = ["--dataset=tiny", f"--datasets_dir={datasets_dir}", "--repeats=1"]
    done = command("benchmarks.start_up", *arguments, "--models=bprmf,sasrec")
    assert done.returncode == 0, done.stderr
    assert re.search(r"\| bprmf \| \d+\.\d \(.*\) \| \d+\.\d \|\n\| sasrec \|", done.stdout)
    done = command("benchmarks.start_up", *arguments, "--models=none")
    assert done.returncode == 1 and "--model=none: value should be one of" in done.stderr


@pytest.mark.slow
def test_serving_is_timed(command, datasets_dir, tmp_path):
    arguments = [*SMALL, "--model=sasrec", f"--datasets_dir={datasets_dir}", f"--output_dir={tmp_path}/run"]
    assert command("katrec.train", *arguments).returncode == 0
    assert command("katrec.export", f"--output_dir={tmp_path}/run", f"--saved_model={tmp_path}/model").returncode == 0
    model = [f"--saved_model={tmp_path}/model", f"--datasets_dir={datasets_dir}"]
    done = command("benchmarks.nearest_neighbours", *model, "--histories=20", "--catalogues=400")
    assert done.returncode == 0, done.stderr
    assert "| share of the exact ten, 256 looked at | 1.0000 |" in done.stdout
    assert "| 400 items: the search alone | " in done.stdout
    done = command("benchmarks.server", *model, "--clients=3", "--requests=4")
    assert done.returncode == 0, done.stderr
    assert re.search(r"\| server, 3 clients \| [\d.]+, [\d.]+ \| [\d,]+ \|", done.stdout)


def test_raw_files_are_prepared_at_each_scale(command):
    done = command("benchmarks.raw_files", "--like=amazon-book", "--scales=0.002,0.004")
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| 0.00")]
    assert [row[:2] for row in rows] == [["| 0.002", "45,014"], ["| 0.004", "90,029"]]
    assert all(float(row[3]) > 0 for row in rows)


@pytest.mark.parametrize("name", ["beauty", "ml-100k"])
def test_synthetic_sizes(name):
    size, dataset = SIZES[name], like(name, 1.0)
    assert (dataset.num_users, dataset.num_items) == size[:2]
    assert len(dataset.interactions()[0]) == size.interactions
    assert len(np.unique(dataset.triplets, axis=0)) == len(dataset.triplets) == size.triplets
    assert (dataset.triplets.max(axis=0) < [size.items, size.relations, size.entities]).all()
    np.testing.assert_array_equal(dataset.items, like(name, 1.0).items)


def test_peers_are_two_models(command):
    done = command("benchmarks.peers", "--model=katrec")
    assert done.returncode == 2 and "--model=katrec: choose from bert4rec, sasrec" in done.stderr


def test_peers_train_on_the_same_histories(tiny_dataset, make_settings, monkeypatch):
    dataset = peers.with_last_items(tiny_dataset, 3)
    assert np.diff(dataset.offsets).max() == 3
    for user in (0, 7):
        own, whole = (one.items[one.offsets[user] : one.offsets[user + 1]] for one in (dataset, tiny_dataset))
        np.testing.assert_array_equal(own, whole[-3:])
    settings = make_settings(model="bert4rec", train_steps=1)
    asked = []
    take = TrainSteps.__call__
    monkeypatch.setattr(TrainSteps, "__call__", lambda self, *given: (asked.append(given[1:]), take(self, *given)))
    figures = peers.katrec(dataset, settings, epochs=4)
    assert figures["seconds"] > 0 and 0 <= figures["NDCG@10"] <= 1
    # What it trained is what Batches of the same settings hold: each history once an epoch.
    model = build(settings, dataset)
    assert asked == [(0, 4 * Batches(dataset, model, settings).per_epoch)]
    untrained = Evaluator(model, dataset, "valid", 5).evaluate()["full"]
    assert figures["NDCG@10"] != untrained["NDCG@10"]


QUICK = [*(one for one in SMALL if one != "--dataset=tiny"), "--pretrain_epochs=1", "--pretrain_kg_epochs=1"]


@pytest.mark.slow
def test_added_items_are_compared_with_known_ones(command, datasets_dir, tmp_path):
    arguments = ["--dataset=tiny", f"--datasets_dir={datasets_dir}", f"--runs_dir={tmp_path}", "--cold_item_share=0.3"]
    done = command("benchmarks.added_items", *arguments, *QUICK, "--model=katrec_next_item", "--similar_items=4")
    assert done.returncode == 0, done.stderr
    assert "| known from the start |" in done.stdout and "| added after the training |" in done.stdout
    assert "| largest difference of an earlier item's score: 0.0 |" in done.stdout
    # The run without the items is there already.
    arguments += [*QUICK, "--model=katrec_next_item", "--similar_items=4"]
    ways = command("benchmarks.new_nodes", *arguments, "--steps=3,9")
    assert ways.returncode == 0, ways.stderr
    kinds = "| the mean", "| closed", "| 3", "| 9"
    rows = [row.split(" | ") for row in ways.stdout.splitlines() if row.startswith(kinds)]
    # Where e⁽⁰⁾ is changes what the graph says of an item.
    assert len(rows) == 11 and len({own for _, own, *_ in rows}) > 4
    assert all(0 < float(value) < 1 for row in rows for value in row[1:3])


@pytest.mark.slow
def test_a_log_that_grows_is_followed(command, tiny_raw, tmp_path):
    for name, until in (("short", ["--until=150"]), ("long", [])):
        raw = tmp_path / name
        shutil.copytree(tiny_raw, raw)
        for file in list(raw.iterdir()):
            file.rename(raw / file.name.replace("tiny", name))
        filters = ["--min_interactions=0", "--min_entity_count=0", "--min_relation_count=0", *until]
        arguments = [f"--dataset={name}", "--source=atomic", f"--raw_dir={raw}", f"--datasets_dir={tmp_path}/data"]
        done = command("preprocess", *arguments, *filters)
        assert done.returncode == 0, done.stderr
    arguments = ["--periods=short,long", f"--datasets_dir={tmp_path}/data", f"--runs_dir={tmp_path}/runs"]
    arguments += ["--epochs=2", "--model=katrec", f"--output={tmp_path}", *QUICK]
    done = command("benchmarks.fresh_data", *arguments)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "fresh.json").read_text())["results"]
    titles = ["trained anew on long", "those of short, as they are", "those of short, trained on for 2 epochs"]
    assert [one["title"] for one in results] == titles
    # Who has interactions from the cut on, counted in the raw file.
    rows = [row.split("\t") for row in (tmp_path / "long" / "long.inter").read_text().splitlines()[1:]]
    later = len({user for user, *_, time in rows if float(time) >= 150})
    for one in results:
        assert f"| {one['title']} | {one['runs'][0]['test']['full']['NDCG@10']:.4f} |" in done.stdout
        assert one["users"] == {"all": len({user for user, *_ in rows}), "since": later}
    # As it is, the earlier model has been trained for a step that changes nothing; an epoch has four batches of 16.
    assert [one["steps"] for one in results] == [6, 1, 8]
