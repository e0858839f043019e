"""The commands of a run end to end on the tiny data set: prepare, train, tables, search, evaluate, begin anew."""

import json
import re
import shutil

import pytest

from tests.command_lines import FILTERS, SMALL, fails


@pytest.fixture(scope="module")
def experiment(command, tiny_raw, tmp_path_factory):
    """The whole way: prepare, train two models and a variant with two seeds, make tables and figures."""
    folder = tmp_path_factory.mktemp("experiment")
    datasets = folder / "datasets"
    prepared = command(
        "preprocess",
        "--dataset=tiny",
        "--source=atomic",
        f"--raw_dir={tiny_raw}",
        f"--datasets_dir={datasets}",
        *FILTERS,
    )
    assert prepared.returncode == 0, prepared.stderr
    (datasets / "tiny" / "flags.txt").write_text("\n".join(SMALL))
    (datasets / "tiny" / "bert4rec.txt").write_text("--hidden_dim=8")
    arguments = [
        "tiny",
        f"--datasets_dir={datasets}",
        f"--runs_dir={folder}/runs",
        "--models",
        "bert4rec,katrec",
        f"--results_dir={folder}/results",
        "--seeds=1,2",
        "--ablations=level1",
    ]
    done = command("katrec.experiments", *arguments)
    assert done.returncode == 0, done.stderr
    return folder, arguments, prepared.stdout, done.stdout


def test_preprocess_prints_table_1(experiment):
    assert "| tiny | 40 | 24 |" in experiment[2]
    assert "2-core, interactions: before" in experiment[2]


def test_table_2(experiment):
    folder, _, _, printed = experiment
    text = (folder / "results" / "tiny" / "table2.md").read_text()
    assert text in printed
    assert "| metric | BERT4Rec | KATRec | KATRec's improvement | p |" in text
    results = [
        json.loads((folder / "runs" / "tiny" / f"katrec-seed{seed}" / "result.json").read_text()) for seed in (1, 2)
    ]
    mean = sum(result["test"]["sampled"]["NDCG@10"] for result in results) / 2
    row = next(line for line in text.splitlines() if line.startswith("| NDCG@10"))
    assert f"{mean:.4f} ±" in row
    assert text.count("**") >= 2 * 12
    config = json.loads((folder / "runs" / "tiny" / "bert4rec-seed1" / "config.json").read_text())
    assert config["hidden_dim"] == 8


def test_tables_figures_and_page(experiment):
    results = experiment[0] / "results" / "tiny"
    assert "| tiny | 40 | 24 |" in (results / "table1.md").read_text()
    assert "| metric | KATRec | Level-1 |" in (results / "table3.md").read_text()
    for name in ("figure4", "figure5", "figure6", "curves"):
        assert (results / f"{name}.png").read_bytes()[1:4] == b"PNG"
    page = (results / "report.html").read_text()
    # Tables 1, 2 and 3, the last two by both rankings; the lists' metrics; all metrics by two kinds of groups.
    assert page.count("<svg") == 4 and page.count("<table>") == 8
    # Self-contained: parts of the page itself and pictures that are written out.
    assert all(address.startswith(("#", "data:")) for address in re.findall(r'(?:src|href)="([^"]*)"', page))
    numbers = json.loads((results / "results.json").read_text())
    assert len(numbers["runs"]) == 7
    assert {run["variant"] for run in numbers["runs"]} == {"none", "level1", "no_position"}
    assert numbers["runs"][0]["flags"]["batch_size"] == 16
    assert sum(numbers["figure4"]["shares"]) == pytest.approx(1)
    gini = [run["result"]["test"]["lists"]["Gini@10"] for run in numbers["runs"] if run["model"] == "bert4rec"]
    assert f"| Gini@10 | {sum(gini) / len(gini):.4f} |" in (results / "table2.md").read_text()
    assert "learned" not in {
        run["flags"]["positional_embedding"] for run in numbers["runs"] if run["variant"] == "no_position"
    }


def test_runs_of_a_seed_share_their_pretrained_embeddings(experiment):
    assert len(list((experiment[0] / "runs" / "tiny" / "pretrained").iterdir())) == 2


def test_finished_runs_are_not_repeated(experiment, command):
    _, arguments, _, first = experiment
    again = command("katrec.experiments", *arguments)
    assert again.stdout.count("was finished") == 7
    numbers = [re.findall(r"\d\.\d{4}", text[text.index("## Table 2") :]) for text in (first, again.stdout)]
    assert numbers[0] == numbers[1]


def test_dry_run_runs_nothing(experiment, command, tmp_path):
    done = command("katrec.experiments", *experiment[1], f"--runs_dir={tmp_path}/none", "--dry_run")
    assert done.returncode == 0
    assert done.stdout.count("-m katrec.train") == 7
    assert not (tmp_path / "none").exists()


def test_which_models_are_trained_where_none_is_named(command, tmp_path):
    trained = []
    for chosen in ([], ["--models=all"]):
        done = command("katrec.experiments", "--dry_run", f"--datasets_dir={tmp_path}", *chosen)
        assert done.returncode == 0, done.stderr
        trained.append(set(re.findall(r"--model=(\S+)", done.stdout)))
    assert trained[1] - trained[0] == {"esasrec", "s3rec"} and {"katrec", "katrec_next_item", "bprmf"} < trained[0]


def test_a_failing_run_does_not_stop_the_others(experiment, command, tmp_path):
    datasets = tmp_path / "datasets"
    shutil.copytree(experiment[0] / "datasets", datasets)
    (datasets / "tiny" / "bert4rec.txt").write_text("--num_heads=3")
    done = command(
        "katrec.experiments",
        "tiny",
        f"--datasets_dir={datasets}",
        f"--runs_dir={tmp_path}/runs",
        f"--results_dir={tmp_path}/results",
        "--models=bert4rec,bprmf",
        "--jobs=2",
    )
    assert done.returncode == 1
    assert re.search(r"tiny/bert4rec-seed1: failed: .*--num_heads=3 does not divide .*train\.log", done.stdout)
    assert "error: failed: tiny/bert4rec-seed1;" in done.stderr
    assert "| metric | BPR-MF |" in (tmp_path / "results" / "tiny" / "table2.md").read_text()


def test_search_tables_its_trials(experiment, command, tmp_path):
    datasets = experiment[0] / "datasets"
    (datasets / "tiny" / "search.json").write_text(
        json.dumps(
            {
                "all": dict(flag[2:].split("=") for flag in SMALL),
                "bprmf": {"trials": [{}, {"learning_rate": 0.01}]},
                "bert4rec": {"flags": {"hidden_dim": 8}, "trials": [{}, {"hidden_dim": 4}]},
                "sasrec": {"trials": [{}]},
            }
        )
    )
    arguments = [
        "--dataset=tiny",
        f"--datasets_dir={datasets}",
        f"--runs_dir={tmp_path}/runs",
        f"--results_dir={tmp_path}/results",
        "--jobs=2",
    ]
    done = command("katrec.search", *arguments, "--models=bprmf,bert4rec")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "results" / "tiny" / "trials.json").read_text())
    models = ("bert4rec", "bprmf")
    assert [(row["model"], row["trial"]) for row in rows] == [(model, trial) for model in models for trial in (0, 1)]
    result = json.loads((tmp_path / "runs" / "tiny" / "search" / "bprmf-trial1" / "result.json").read_text())
    assert rows[3]["valid"] == result["valid"]["sampled"]["NDCG@10"]
    dims = [
        json.loads((tmp_path / "runs" / "tiny" / "search" / f"bert4rec-trial{trial}" / "config.json").read_text())[
            "hidden_dim"
        ]
        for trial in (0, 1)
    ]
    assert dims == [8, 4]
    table = (tmp_path / "results" / "tiny" / "trials.md").read_text()
    measured = f"{result['seconds']:.0f} | sampled/NDCG@10 | {rows[3]['valid']:.4f}"
    assert f"| BPR-MF | 1 | --learning_rate=0.01 | 6 | {measured} |" in table
    refused = command("katrec.search", *arguments, "--models=bprmf,sasrec")
    assert fails(refused, 1, "every model needs the same number of trials, there are 2 of bprmf, 1 of sasrec")


@pytest.mark.slow
def test_the_extension_beside_a_baseline(experiment, command, tmp_path):
    datasets = tmp_path / "datasets"
    shutil.copytree(experiment[0] / "datasets", datasets)
    (datasets / "tiny" / "flags.txt").write_text("\n".join([*SMALL, "--stopping_metric=full/Hit@5"]))
    arguments = [f"--datasets_dir={datasets}", f"--runs_dir={tmp_path}/runs", f"--results_dir={tmp_path}/results"]
    chosen = ["--models=bprmf,katrec_next_item", "--ablations=next_item_no_graph"]
    done = command("katrec.experiments", "tiny", *arguments, *chosen)
    assert done.returncode == 0, done.stderr
    results, run = tmp_path / "results" / "tiny", tmp_path / "runs" / "tiny" / "katrec_next_item-seed1"
    text = (results / "table2.md").read_text()
    assert "| metric | BPR-MF | KATRec (next item) | KATRec (next item)'s improvement | p |" in text
    assert "best validation full/Hit@5." in text
    assert "## KATRec (next item), changed in one part" in (results / "table3.md").read_text()
    numbers = json.loads((results / "results.json").read_text())
    assert list(numbers["figure5"]) == ["KATRec (next item)"]
    rows = [json.loads(line)["valid"]["full"]["Hit@5"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert json.loads((run / "result.json").read_text())["valid"]["full"]["Hit@5"] == max(rows)
    done = command("katrec.export", f"--output_dir={run}", f"--saved_model={tmp_path}/model")
    assert done.returncode == 0, done.stderr
    arguments = [f"--saved_model={tmp_path}/model", "--history=i0,i4", "--k=2", "--explain"]
    done = command("katrec.recommend", *arguments, f"--datasets_dir={datasets}")
    assert done.returncode == 0 and "attention: " in done.stdout, done.stderr


def test_a_paper_data_set_is_fetched_only_with_a_yes(command, tmp_path):
    dry = command(
        "katrec.experiments", "amazon-book", "--dry_run", f"--datasets_dir={tmp_path}", "--models=bprmf", "--yes"
    )
    assert dry.returncode == 0, dry.stderr
    fetch, prepare, train, _ = dry.stdout.splitlines()
    raw = tmp_path / "amazon-book" / "raw"
    assert fetch == f"python -m preprocess.download --dataset=amazon-book --raw_dir={raw}"
    assert prepare.endswith(f"--kgat_dir={raw}") and "katrec.train" in train
    arguments = ["amazon-book", f"--datasets_dir={tmp_path}", "--models=bprmf"]
    for answer, message in (
        ("", "there is nobody to ask; --yes fetches"),
        ("no\n", "nothing was fetched, as you said"),
    ):
        done = command("katrec.experiments", *arguments, input=answer, timeout=60)
        assert fails(done, 1, message) and not raw.exists()
        assert "ratings_Books.csv (0.9 GB) from https://" in done.stdout and done.stdout.endswith("fetch this? [y/N] ")


def test_evaluate_gives_the_runs_numbers(experiment, command):
    run = experiment[0] / "runs" / "tiny" / "katrec-seed1"
    done = command("katrec.evaluate", f"--output_dir={run}", "--split=valid")
    assert done.returncode == 0, done.stderr
    valid = json.loads((run / "result.json").read_text())["valid"]
    for protocol in ("sampled", "full"):
        line = next(line for line in done.stdout.splitlines() if line.split()[:2] == ["valid", protocol])
        assert f"NDCG@10 {valid[protocol]['NDCG@10']:.4f}" in line
    fewer = command("katrec.evaluate", f"--output_dir={run}", "--split=valid", "--num_negatives=1")
    assert float(re.search(r"sampled.*Hit@5 ([\d.]+)", fewer.stdout).group(1)) == 1


def test_train_refuses_a_directory_of_other_settings(experiment, command):
    run = experiment[0] / "runs" / "tiny" / "katrec-seed1"
    before = (run / "config.json").read_text()
    done = command(
        "katrec.train", *SMALL, f"--datasets_dir={experiment[0]}/datasets", f"--output_dir={run}", "--learning_rate=0.5"
    )
    assert fails(done, 1, r"made with other settings: --learning_rate=0.5 \(was 0.001\)")
    assert (run / "config.json").read_text() == before


def test_changed_data_is_refused(experiment, command, tiny_raw, tmp_path):
    run = experiment[0] / "runs" / "tiny" / "katrec-seed1"
    command(
        "preprocess",
        "--dataset=tiny",
        "--source=atomic",
        f"--raw_dir={tiny_raw}",
        f"--datasets_dir={tmp_path}",
        *FILTERS,
        "--min_entity_count=5",
    )
    message = r"data set tiny: .*triplets\.npz.* changed since the run was trained"
    done = command("katrec.evaluate", f"--output_dir={run}", f"--datasets_dir={tmp_path}")
    assert fails(done, 1, message)
    done = command("katrec.train", *SMALL, f"--datasets_dir={tmp_path}", f"--output_dir={run}")
    assert fails(done, 1, message)


def test_noresume_leaves_a_strangers_folder_alone(experiment, command, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "mine").write_text("of another program")
    arguments = [*SMALL, f"--datasets_dir={experiment[0]}/datasets", f"--output_dir={tmp_path}", "--noresume"]
    assert command("katrec.train", *arguments).returncode == 0
    assert (tmp_path / "checkpoints" / "mine").exists()


def test_noresume_begins_anew(experiment, command, tmp_path):
    arguments = [*SMALL, f"--datasets_dir={experiment[0]}/datasets", f"--output_dir={tmp_path}/run", "--model=bert4rec"]
    assert command("katrec.train", *arguments).returncode == 0
    done = command("katrec.train", *arguments, "--seed=5", "--noresume")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "result.json").read_text())["seed"] == 5
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2
