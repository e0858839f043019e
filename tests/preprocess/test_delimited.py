"""--source=tables: the same data set from CSV, TSV and Parquet, packed or not, as from DataFrames."""

import os

import pandas as pd
import pytest

from katrec.common import files
from preprocess import prepare_frames
from preprocess.pipeline import Settings
from tests.command_lines import fails

ROWS = [(f"u{user}", f'p,"{item}', 100 * user - time) for user in range(6) for time, item in enumerate((3, 1, 4, 2))]
CLICKS = pd.DataFrame(ROWS, columns=["visitor", "product", "when"])
FACTS = pd.DataFrame([(f'p,"{item}', "made by", "line\nend") for item in range(1, 5)], columns=["s", "p", "o"])
NAMED = ["--user_column=visitor", "--item_column=product", "--time_column=when"]
GRAPH = ["--head_column=s", "--relation_column=p", "--tail_column=o"]
FILTERS = ["--min_interactions=2", "--min_entity_count=1", "--min_relation_count=1"]
OUTPUTS = ("interactions.npz", "triplets.npz", "ids.npz", "items.tsv", "users.tsv", "entities.tsv", "relations.tsv")


def write(frame, path):
    """Writes a table in the format of the path's ending."""
    if ".parquet" in path.name:
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if ".tsv" in path.name else ",")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The data set as `prepare_frames` makes it."""
    folder = tmp_path_factory.mktemp("expected")
    interactions = CLICKS.set_axis(["user_id", "item_id", "timestamp"], axis=1)
    triplets = FACTS.set_axis(["head_id", "relation_id", "tail_id"], axis=1)
    prepare_frames("mine", interactions, triplets, datasets_dir=str(folder), settings=Settings(2, 1, 1))
    return folder / "mine"


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz", ".tsv.xz", ".csv.bz2", ".csv.zip", ".parquet"])
def test_the_same_data_set_from_every_format(command, expected, tmp_path, ending):
    for name, frame in (("clicks", CLICKS), ("facts", FACTS)):
        write(frame, tmp_path / f"{name}{ending}")
    done = command(
        "preprocess",
        "--dataset=mine",
        "--source=tables",
        f"--raw_dir={tmp_path}",
        f"--interactions=clicks{ending}",
        f"--triplets=facts{ending}",
        f"--datasets_dir={tmp_path}/out",
        *NAMED,
        *GRAPH,
        *FILTERS,
    )
    assert done.returncode == 0, done.stderr
    for output in OUTPUTS:
        assert files.sha256(tmp_path / "out" / "mine" / output) == files.sha256(expected / output), output
    last = done.stdout.splitlines()[-2]
    assert last.startswith("24 of 24 interactions kept: 6 users, 4 items; 4 triplets, 100% of the items stand in one;")
    assert "histories of 4 to 4 items, median 4; 0 users are too short" in last and done.stderr == ""


def test_interactions_alone(command, tmp_path):
    write(CLICKS.assign(when="2020-01-31"), tmp_path / "clicks.csv")
    arguments = ["--dataset=mine", "--source=tables", f"--interactions={tmp_path}/clicks.csv", *NAMED, *FILTERS]
    done = command("preprocess", *arguments, f"--datasets_dir={tmp_path}")
    assert done.returncode == 0 and "has no triplet: none was given" in done.stderr


CASES = {
    "no file": (["--interactions=none.csv"], 1, r"none\.csv: no such file"),
    "no flag": ([], 2, "--source=tables needs --interactions"),
    "links alone": (["--interactions=good.csv", "--links=good.csv"], 2, "--links goes with --triplets"),
    "no column": (["--interactions=good.csv"], 1, r"good\.csv: no column 'user_id'; .*; --user_column says which"),
    "no ending": (["--interactions=data"], 1, "data: the ending says what a file is: .csv"),
    "ragged": (["--interactions=ragged.csv", *NAMED], 1, r"ragged\.csv: .*line 3"),
    "too few fields": (["--interactions=short.csv", *NAMED], 1, r"short\.csv: line 3: item_id is empty"),
    "not packed": (["--interactions=plain.csv.gz", *NAMED], 1, r"plain\.csv\.gz: cannot be read"),
    "no Parquet": (
        ["--interactions=plain.parquet", *NAMED],
        1,
        r"plain\.parquet: cannot be read",
    ),
    "latin-1": (["--interactions=latin.csv", *NAMED], 1, r"latin\.csv: not UTF-8"),
    "empty": (["--interactions=empty.csv", *NAMED], 1, r"empty\.csv: line 1: the file is empty"),
    "bad time": (["--interactions=time.csv", *NAMED], 1, r"time\.csv: line 3: the time 'x' is neither"),
    "other source": (["--source=atomic", "--interactions=good.csv"], 2, "--interactions is for tables, not for"),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_input_is_said(command, tmp_path, case):
    header = "visitor,product,when\n"
    texts = {
        "good.csv": header + "a,b,1\n",
        "data": header,
        "ragged.csv": header + "a,b,1\na,b,1,2\n",
        "short.csv": header + "a,b,1\na\n",
        "plain.csv.gz": header,
        "plain.parquet": header,
        "empty.csv": "",
        "time.csv": header + "a,b,1\na,b,x\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.csv").write_bytes((header + "é,b,1\n").encode("latin-1"))
    arguments, status, message = CASES[case]
    done = command(
        "preprocess",
        "--dataset=mine",
        "--source=tables",
        f"--raw_dir={tmp_path}",
        f"--datasets_dir={tmp_path}/out",
        *arguments,
    )
    assert fails(done, status, message)
    assert not (tmp_path / "out").exists()


def test_parquet_needs_its_extra(command, tmp_path):
    (tmp_path / "plain.parquet").write_text("")
    (tmp_path / "pyarrow.py").write_text("raise ImportError('not here')")
    arguments = ["--dataset=mine", "--source=tables", f"--interactions={tmp_path}/plain.parquet", *NAMED]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = command("preprocess", *arguments, f"--datasets_dir={tmp_path}/out", env=environment)
    assert fails(done, 1, r"plain\.parquet: Parquet files need .* katrec\[parquet")
