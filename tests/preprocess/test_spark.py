"""The Spark engine writes the bytes that pandas does, and says what is wrong with the files."""

import gzip
import shutil

import numpy as np
import pandas as pd
import pytest

from katrec.common.command_line import UserError
from preprocess.frames import origin, prepare_and_write
from preprocess.pipeline import Settings
from preprocess.sources import Options, delimited, ml_100k
from preprocess.writer import write
from tests.command_lines import fails
from tests.spark import spark  # noqa: F401 (a fixture)

pytestmark = pytest.mark.slow
FILTERS = Settings(4, 3, 10)
NAMES = {"user_column": "visitor"}


@pytest.fixture
def log(generator):
    """Some users and items are rare, users have equal times, and one item is seen twice by a user."""
    users = (120 * generator.random(1500) ** 1.5).astype(int)
    items = (60 * generator.random(1500) ** 2).astype(int)
    times = generator.integers(0, 200, 1500)
    return pd.DataFrame({"visitor": users, "item_id": items, "timestamp": times})


@pytest.fixture
def graph(generator):
    heads, tails = generator.integers(0, 80, 900), generator.integers(0, 250, 900)
    # Relation 3 is rare.
    relations = np.where(np.arange(900) < 5, 3, generator.integers(0, 3, 900))
    names = [("i" if one < 50 else "x") + str(one) for one in heads]
    table = {"head_id": names, "relation_id": relations, "tail_id": [f"e{one}, {one}\ttab" for one in tails]}
    return pd.DataFrame(table).map(str)


def same(spark, tmp_path, paths, settings=FILTERS):  # noqa: F811
    """Prepares with both engines, asserts equal files, and returns the report."""
    from preprocess.spark import engine

    options = Options(files={table: str(path) for table, path in paths.items()}, columns=NAMES)
    prepared, _ = prepare_and_write(
        delimited.load("x", None, options), settings, str(tmp_path / "pandas"), "x", "tables", ""
    )
    other, num_rows, files = engine.prepare(spark, None, options, settings, str(tmp_path / "work"))
    write(other, str(tmp_path / "spark"), "x", origin(files, settings, "tables", ""))
    names = sorted(path.name for path in (tmp_path / "pandas").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "spark").iterdir()) and len(names) == 9
    for name in names:
        assert (tmp_path / "spark" / name).read_bytes() == (tmp_path / "pandas" / name).read_bytes(), name
    assert other.warnings == prepared.warnings and other.report[0]["before"] == num_rows
    assert list((tmp_path / "work").iterdir()) == []
    return prepared


def test_parts_of_csv_with_a_graph_links_and_titles(spark, tmp_path, log, graph):  # noqa: F811
    parts = tmp_path / "log"
    parts.mkdir()
    # Parts of other sizes than their order, one packed; Spark reads the largest first.
    for number, (start, end) in enumerate(((0, 100), (100, 900), (900, 1500))):
        log[start:end].to_csv(parts / f"part-{number}.csv", index=False)
    (parts / "part-1.csv.gz").write_bytes(gzip.compress((parts / "part-1.csv").read_bytes()))
    (parts / "part-1.csv").unlink()
    (parts / "_SUCCESS").write_text("")
    graph.to_csv(tmp_path / "kg.csv", index=False)
    links = pd.DataFrame({"item_id": range(55), "entity_id": [f"i{one}" for one in range(55)]})
    links.to_csv(tmp_path / "links.tsv", index=False, sep="\t")
    titles = pd.DataFrame({"item_id": range(60), "title": ['The "first", of all'] * 60})
    titles.to_csv(tmp_path / "titles.csv", index=False)
    named = {"triplets": "kg.csv", "links": "links.tsv", "titles": "titles.csv"}
    prepared = same(spark, tmp_path, {"interactions": parts, **{name: tmp_path / file for name, file in named.items()}})
    # Each filter dropped something.
    assert all(row["dropped"] for row in prepared.report if "dropped" in row and row["step"][:16] != "triplets within ")
    assert (prepared.titles == 'The "first", of all').all()


def test_items_without_interactions(spark, tmp_path, log, graph):  # noqa: F811
    log.to_csv(tmp_path / "log.csv", index=False)
    graph.to_csv(tmp_path / "kg.csv", index=False)
    links = pd.DataFrame(
        {"item_id": range(70), "entity_id": [("i" if one < 50 else "x") + str(one) for one in range(70)]}
    )
    links.to_csv(tmp_path / "links.csv", index=False)
    paths = {name: tmp_path / f"{name}.csv" for name in ("log", "kg", "links")}
    tables = {"interactions": paths["log"], "triplets": paths["kg"], "links": paths["links"]}
    prepared = same(spark, tmp_path, tables, FILTERS._replace(cold_items=True))
    assert len(prepared.cold) > 5 and prepared.cold.max() == len(prepared.item_ids) - 1


def test_triplets_name_items_by_their_own_ids(spark, tmp_path, log, graph):  # noqa: F811
    log["item_id"] = [f"i{one}" for one in log["item_id"]]
    log.to_parquet(tmp_path / "log.parquet")
    graph.to_parquet(tmp_path / "kg.parquet")
    prepared = same(spark, tmp_path, {"interactions": tmp_path / "log.parquet", "triplets": tmp_path / "kg.parquet"})
    assert len(prepared.triplets)


def test_a_core_of_many_rounds(spark, tmp_path):  # noqa: F811
    # In each round an end of the chain loses a user and an item; the ring stays.
    chain = [(user, item) for user in range(10) for item in (user, user + 1)]
    ring = [(user, item) for user, item in ((90, 90), (90, 91), (91, 91), (91, 92), (92, 92), (92, 90))]
    log = pd.DataFrame(chain + ring, columns=["visitor", "item_id"]).assign(timestamp=1)
    log.to_csv(tmp_path / "log.csv", index=False)
    prepared = same(spark, tmp_path, {"interactions": tmp_path / "log.csv"}, Settings(2, 0, 0))
    assert prepared.user_ids.tolist() == ["90", "91", "92"]


def test_movielens(spark, tmp_path, ml_100k_dir):  # noqa: F811
    tables = ml_100k.load("ml-100k", str(ml_100k_dir / "ml-100k" / "raw"))
    paths = {}
    for name in ("interactions", "triplets", "links", "titles"):
        paths[name] = tmp_path / f"{name}.csv"
        getattr(tables, name).rename(columns={"user_id": "visitor"}).to_csv(paths[name], index=False)
    prepared = same(spark, tmp_path, paths, Settings())
    assert len(prepared.user_ids) == 943 and len(prepared.triplets) > 10_000


@pytest.mark.parametrize(
    "change",
    [
        lambda times: times + 0.5,
        lambda times: pd.Timestamp("2020-01-01") + pd.to_timedelta(times, "D"),
        lambda times: (pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(times, "D")).dt.strftime(
            "%Y-%m-%dT%H:%MZ"
        ),
        lambda times: times * 10**15 + 3,
    ],
    ids=["decimals", "dates", "ISO text", "large"],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_times_of_all_kinds_without_a_graph(spark, tmp_path, log, change, ending):  # noqa: F811
    log["timestamp"] = change(log["timestamp"])
    path = tmp_path / f"log.{ending}"
    log.to_parquet(path) if ending == "parquet" else log.to_csv(path, index=False)
    prepared = same(spark, tmp_path, {"interactions": path}, Settings(0, 0, 0))
    assert len(prepared.warnings) == 1 and "no triplet" in prepared.warnings[0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["u,i,1", "u,,2", ",i,3"], r"log\.csv: line 4: user_id is empty"),
        (["u,i,1", "u,j,"], r"log\.csv: line 3: the time is missing"),
        (["u,i,1", "u,j,2020-01-01"], "the times are neither all finite numbers"),
        (["u,i,1", "u,j,9007199254740993.5"], "the times are neither all finite numbers"),
        (["u,i,1,2"], r"log\.csv: Spark cannot read it"),
        (["u,i"], r"log\.csv: Spark cannot read it"),
        (["u,i,1"] * 3, "no interactions are left after the 4-core of 3 rows"),
        ([], "there are no interactions"),
    ],
)
def test_wrong_files_are_said(spark, tmp_path, lines, message):  # noqa: F811
    from preprocess.spark import engine

    (tmp_path / "log.csv").write_text("\n".join(["visitor,item_id,timestamp", *lines]) + "\n")
    options = Options(files={"interactions": str(tmp_path / "log.csv")}, columns=NAMES)
    with pytest.raises(UserError, match=message):
        engine.prepare(spark, None, options, FILTERS, str(tmp_path / "work"))
    assert list((tmp_path / "work").iterdir()) == []


def test_the_command(command, tmp_path, log):
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 or later, which this machine does not have")
    log.to_csv(tmp_path / "log.csv", index=False)
    flags = ["--source=tables", f"--interactions={tmp_path}/log.csv", "--user_column=visitor", "--min_interactions=4"]
    conf = "--spark_conf=spark.master=local[1],spark.ui.enabled=false"
    for name, more in (("pandas", []), ("spark", ["--engine=spark", conf])):
        done = command("preprocess", "--dataset=x", f"--datasets_dir={tmp_path}/{name}", *flags, *more)
        assert done.returncode == 0, done.stderr
    for path in (tmp_path / "pandas" / "x").iterdir():
        assert (tmp_path / "spark" / "x" / path.name).read_bytes() == path.read_bytes()
    assert "interactions kept" in done.stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--engine=spark"], "--engine=spark is for --source=tables, not for ml-100k"),
        (["--spark_conf=spark.master=local"], "--spark_conf goes with --engine=spark"),
        (["--source=tables", "--interactions=x.csv", "--engine=spark", "--spark_conf=local"], "NAME=VALUE"),
    ],
)
def test_wrong_flags_are_said(command, tmp_path, flags, message):
    name = "x" if "--source=tables" in flags else "ml-100k"
    assert fails(command("preprocess", f"--dataset={name}", f"--datasets_dir={tmp_path}", *flags), 2, message)
