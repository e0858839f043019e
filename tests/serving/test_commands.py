"""export and recommend end to end, with a run that was trained on the tiny data set."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from katrec.common import sealed
from tests.command_lines import SMALL, fails
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def folder(command, datasets_dir, tmp_path_factory):
    """Holds a finished run and the model exported from it."""
    folder = tmp_path_factory.mktemp("serving")
    arguments = [*SMALL, f"--datasets_dir={datasets_dir}", "--model=katrec", f"--output_dir={folder}/run"]
    assert command("katrec.train", *arguments).returncode == 0
    done = command("katrec.export", f"--output_dir={folder}/run", f"--saved_model={folder}/model", "--max_k=15")
    assert done.returncode == 0, done.stderr
    assert "exported katrec of tiny" in done.stdout and "for 40 test users differ from the model's by" in done.stdout
    return folder


def recommend(command, folder, *arguments, **kwargs):
    return command("katrec.recommend", f"--saved_model={folder}/model", *arguments, **kwargs)


def test_metadata_is_whole(folder):
    metadata = json.loads((folder / "model" / "assets.extra" / "metadata.json").read_text())
    assert (metadata["dataset"], metadata["model"], metadata["items"], metadata["max_k"]) == ("tiny", "katrec", 24, 15)
    assert metadata["licence"] == "not stated"
    assert metadata["flags"]["entity_dim"] == 8 and "tensorflow" in metadata["versions"]
    assert metadata["result"] == sealed.read(folder / "run" / "result.json")


def test_a_history_in_all_formats(folder, command, datasets_dir):
    table = recommend(command, folder, "--history=i1, i5,i9", "--k=3", "--explain", f"--datasets_dir={datasets_dir}")
    assert table.returncode == 0, table.stderr
    assert "Film" in table.stdout and "path " in table.stdout and "attention: " in table.stdout
    rows = json.loads(recommend(command, folder, "--history=i1,i5,i9", "--k=3", "--format=json").stdout)
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert not {row["item"] for row in rows} & {"i1", "i5", "i9"}
    lines = recommend(command, folder, "--history=i1,i5,i9", "--k=3", "--format=csv").stdout.splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == [row["item"] for row in rows]


def test_filters(folder, command, tmp_path):
    arguments = ["--history=i1,i5", "--k=3", "--format=json"]
    best, second, third = (row["item"] for row in json.loads(recommend(command, folder, *arguments).stdout))
    rows = json.loads(recommend(command, folder, *arguments, f"--exclude={best}, {second}").stdout)
    assert rows[0]["item"] == third
    done = recommend(command, folder, *arguments, f"--include={second},i1,other")
    assert [row["item"] for row in json.loads(done.stdout)] == [second]
    assert "1 item ids of include are not known to the model" in done.stderr
    rows = json.loads(recommend(command, folder, *arguments, "--include=i1", "--allow_seen").stdout)
    assert [row["item"] for row in rows] == ["i1"]
    (tmp_path / "histories.txt").write_text("i1,i5\ni2\n")
    done = recommend(command, folder, f"--input={tmp_path}/histories.txt", f"--include={second}", "--k=2")
    assert [line.split(",")[:3] for line in done.stdout.splitlines()[1:]] == [["1", "1", second], ["2", "1", second]]


@pytest.mark.slow
def test_versions_stand_side_by_side(folder, command, tmp_path):
    export = ["katrec.export", f"--output_dir={folder}/run", f"--saved_model={tmp_path}/models", "--versioned"]
    for number in (1, 2):
        done = command(*export, f"--max_k={number}")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "models" / str(number) / "saved_model.pb").exists()
    newest = ["katrec.recommend", f"--saved_model={tmp_path}/models", "--history=i1", "--k=3"]
    assert fails(command(*newest), 2, "exported for at most 2")
    (tmp_path / "models" / "2").rename(tmp_path / "models" / "10")
    assert command(*export).returncode == 0
    assert sorted(int(path.name) for path in (tmp_path / "models").iterdir()) == [1, 10, 11]
    done = command("katrec.export", "--verify", f"--saved_model={tmp_path}/models")
    assert done.returncode == 0 and f"{tmp_path}/models/11: " in done.stdout
    # A model itself is no folder of versions.
    refused = command("katrec.export", f"--output_dir={folder}/run", f"--saved_model={folder}/model", "--versioned")
    assert fails(refused, 2, "exists; remove it or choose another name")


def test_a_drawing(folder, command, datasets_dir, tmp_path):
    done = recommend(
        command,
        folder,
        "--history=i1,i5",
        "--explain",
        f"--datasets_dir={datasets_dir}",
        f"--drawing={tmp_path}/paths.png",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "paths.png").read_bytes()[1:4] == b"PNG"
    done = recommend(
        command, folder, "--history=i1,i5", "--explain", f"--datasets_dir={tmp_path}", f"--drawing={tmp_path}/none.png"
    )
    assert fails(done, 1, "nothing to draw; no paths: they need the prepared data set tiny")
    assert not (tmp_path / "none.png").exists()


def test_a_file_of_histories(folder, command, tmp_path):
    (tmp_path / "histories.txt").write_text("i1,i5\n\nunknown,i2\n" * 400)
    done = recommend(command, folder, f"--input={tmp_path}/histories.txt", f"--output={tmp_path}/out.csv", "--k=2")
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "out.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["line"]) for row in rows] == [line for line in range(1, 1201) for _ in range(2)]
    alone = json.loads(recommend(command, folder, "--history=i1,i5", "--k=2", "--format=json").stdout)
    assert [row["item"] for row in rows[-6:-4]] == [row["item"] for row in alone]


def test_a_file_names_its_users(exported, load_once, make_settings, command, tmp_path):
    path = exported("explicit users", make_settings)[1]
    (tmp_path / "histories.txt").write_text("".join(f"u{line % 40}\ti{line % 24}\n" for line in range(600)) + "i1\n")
    done = command("katrec.recommend", f"--saved_model={path}", f"--input={tmp_path}/histories.txt", "--k=1")
    assert done.returncode == 0, done.stderr
    given = [row["item"] for row in csv.DictReader(done.stdout.splitlines())]
    histories, users = zip(*(([f"i{line % 24}"], f"u{line % 40}") for line in range(600)))
    expected = load_once(path)[1].recommend([*histories, ["i1"]], 1, [*users, ""])
    assert given == [items[0][0] for items in expected] and len(set(given)) > 1


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        ([], 2, "--history or --input is needed"),
        (["--history=i1", "--input=x"], 2, "and not both"),
        (["--history=i1", "--k=16"], 2, "--k=16: this model was exported for at most 15"),
        (["--history=i1", "--k=0"], 2, "k"),
        (["--history=i1", "--user=u1"], 2, "does not know users"),
        (["--history=i1", "--drawing=x.png"], 2, "goes with --explain"),
        (["--history=i1", "--explain", "--drawing=x.gif"], 2, "must end with .png or .svg"),
        (["--input=/nowhere"], 1, "/nowhere: cannot be read"),
    ],
)
def test_recommend_refuses(folder, command, arguments, status, message):
    assert fails(recommend(command, folder, *arguments), status, message)


def test_wrong_input_leaves_the_output_alone(folder, command, tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"i1\n\xff\xfe\n")
    (tmp_path / "out.csv").write_text("from before")
    done = recommend(command, folder, f"--input={tmp_path}/bad.txt", f"--output={tmp_path}/out.csv")
    assert fails(done, 1, "not UTF-8")
    assert (tmp_path / "out.csv").read_text() == "from before"


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        (["--saved_model=x"], 2, "--output_dir is needed"),
        (["--output_dir=/nowhere", "--saved_model=x"], 1, "not a run directory"),
        (["--output_dir=/nowhere", f"--saved_model={ROOT}"], 2, "exists; remove it"),
    ],
)
def test_export_refuses(command, arguments, status, message):
    assert fails(command("katrec.export", *arguments), status, message)


def test_the_example_runs_as_it_is(folder):
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "serve.py", folder / "model", "i1", "i5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 10


def test_unknown_ids_are_said_in_one_line(folder, command):
    done = recommend(command, folder, "--history=x,y z", "--k=2")
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert line.startswith("warning: 2 of 2 item ids are not known to the model and were passed over, for example 'x';")
    assert line.endswith("1 of 1 histories have no known id and got the popularity ranking")
    assert recommend(command, folder, "--history=i1", "--k=2").stderr == ""


def test_a_file_is_read_as_preprocessing_reads(folder, command, tmp_path):
    """A byte order mark, Windows' line ends and quotes are no parts of an id; other separators are said."""
    (tmp_path / "histories.txt").write_bytes(b'\xef\xbb\xbfi1,i5\r\ni1,i5\r\n"i1","i5"\r\ni1 i5\r\ni1;i5\r\n')
    done = recommend(command, folder, f"--input={tmp_path}/histories.txt", "--k=1")
    assert done.returncode == 0
    items = [line.split(",")[2] for line in done.stdout.splitlines()[1:]]
    assert items[0] == items[1] == items[2] and items[3] == items[4]
    [line] = done.stderr.splitlines()
    assert "2 of 8 item ids" in line and "'i1 i5'" in line and "2 of 5 histories have no known id" in line


def test_a_terminal_that_cannot_show_a_title(folder, command, tmp_path):
    shutil.copytree(folder / "model", tmp_path / "model")
    items = tmp_path / "model" / "assets.extra" / "items.tsv"
    items.write_text(items.read_text().replace("Film", "Фильм"), encoding="utf-8")
    (tmp_path / "model" / "assets.extra" / "manifest.json").unlink()
    done = command(
        "katrec.recommend",
        f"--saved_model={tmp_path}/model",
        "--history=i1",
        "--k=2",
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0 and "\\u0424" in done.stdout


def test_a_reader_that_has_enough(folder, tmp_path):
    (tmp_path / "histories.txt").write_text("i1,i2\n" * 3000)
    code = (
        f"{sys.executable} -m katrec.recommend --saved_model={folder}/model --input={tmp_path}/histories.txt | head -1"
    )
    done = subprocess.run(code, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("line,rank,item,score,cold\n", "")


def test_export_says_two_lines(folder, command, tmp_path):
    done = command("katrec.export", f"--output_dir={folder}/run", f"--saved_model={tmp_path}/model")
    assert len(done.stdout.splitlines()) == 2 and done.stderr == ""


def test_explaining_loads_no_matplotlib(folder, datasets_dir):
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "katrec.recommend",
        f"--saved_model={folder}/model",
        "--history=i1",
        "--k=1",
        "--explain",
        f"--datasets_dir={datasets_dir}",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "path " in done.stdout
    assert "katrec.serving.explanation" in done.stderr and "matplotlib" not in done.stderr


def test_a_damaged_checkpoint_is_named(folder, command, datasets_dir, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    for data in (tmp_path / "run" / "checkpoints" / "latest").glob("*.data*"):
        data.write_bytes(data.read_bytes()[:100])
    arguments = [*SMALL, f"--datasets_dir={datasets_dir}", "--model=katrec", f"--output_dir={tmp_path}/run"]
    done = command("katrec.train", *arguments)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert re.search(r"latest/ckpt-\d+: the checkpoint is damaged .*; train again with --noresume", done.stderr)


def test_an_export_is_compared_with_its_manifest(folder, command, tmp_path):
    whole = command("katrec.export", "--verify", f"--saved_model={folder}/model")
    assert whole.returncode == 0, whole.stderr
    assert "files, all as they were exported; fingerprint " in whole.stdout
    assert fails(command("katrec.export", "--verify", f"--saved_model={tmp_path}/none"), 2, "there is no such folder")
    model = tmp_path / "model"
    for name, harm, message in (
        ("saved_model.pb", lambda path: path.write_bytes(path.read_bytes()[:-1]), "missing, or not what was exported"),
        ("variables/variables.index", lambda path: path.unlink(), "missing, or not what was exported"),
        ("assets.extra/items.tsv", lambda path: path.write_text("item_id\n"), "missing, or not what was exported"),
        ("assets/more", lambda path: path.write_text("x"), "was not exported"),
        ("assets.extra/manifest.json", lambda path: path.write_text("{}"), "names no files"),
    ):
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(folder / "model", model)
        harm(model / name)
        for done in (
            command("katrec.export", "--verify", f"--saved_model={model}"),
            command("katrec.recommend", f"--saved_model={model}", "--history=i1"),
        ):
            assert fails(done, 1, message)
    # An export of version 0.1 has no manifest.
    (model / "assets.extra" / "manifest.json").unlink()
    assert command("katrec.recommend", f"--saved_model={model}", "--history=i1").returncode == 0
    assert fails(command("katrec.export", "--verify", f"--saved_model={model}"), 1, "nothing to compare with")
    variables = model / "variables" / "variables.data-00000-of-00001"
    variables.write_bytes(variables.read_bytes()[:1000])
    assert fails(command("katrec.recommend", f"--saved_model={model}", "--history=i1"), 1, "is damaged")


def test_words_that_a_terminal_cannot_show_are_no_reason_to_stop(folder, command):
    latin = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    for module, flags in (
        ("katrec.train", ["--help"]),
        ("katrec.recommend", [f"--saved_model={folder}/model", "--history=i1,i5", "--explain"]),
    ):
        done = command(module, *flags, env=latin, encoding="latin-1")
        assert done.returncode == 0, done.stderr
