import numpy as np
import pytest
from scipy import stats

from katrec.common import paper
from katrec.evaluation.metrics import metrics, per_user
from katrec.reporting import tables
from katrec.reporting.beyond_accuracy import beyond_accuracy
from katrec.reporting.figure_data import group_metric
from katrec.reporting.finished import Finished
from katrec.reporting.table import Cell, Table, ranked


def finished(ranks, seed=1):
    """A run whose test users have these ranks under both protocols."""
    ranks = np.array(ranks)
    values = metrics(ranks)
    return Finished(
        "",
        {},
        {"seed": seed, "test": {"sampled": values, "full": values}},
        [],
        {"users": np.arange(len(ranks)), "sampled": ranks, "full": ranks},
    )


RUNS = {
    "bprmf": [finished([3, 4, 9, 20]), finished([4, 4, 9, 20], 2)],
    "sasrec": [finished([1, 4, 9, 20]), finished([2, 4, 9, 20], 2)],
    "katrec": [finished([1, 2, 3, 20]), finished([1, 2, 2, 20], 2)],
}


TITLES = {"none": "KATRec", "concat": "Concat", "own_table": "V* of its own"}
OPEN = ("own_table",)


def row_of(table, metric):
    return next(row for row in table.rows if row[0] == metric)


def test_table_2_by_hand():
    sampled, full = tables.table2(RUNS, 99)
    assert "99 sampled negatives" in sampled.title and "all items" in full.title
    assert sampled.header == ["metric", "BPR-MF", "SASRec", "KATRec", "KATRec's improvement", "p"]
    row = row_of(sampled, "NDCG@1")
    # SASRec: 1/4 and 0; KATRec: 1/4 and 1/4.
    assert row[1:4] == [Cell("0.0000 ± 0.0000"), Cell("0.1250 ± 0.1768", "second"), Cell("0.2500 ± 0.0000", "best")]
    assert row[4] == "+100.00% (SASRec)"
    left, right = (
        np.mean([per_user(run.ranks["sampled"], "NDCG@5") for run in RUNS[model]], axis=0)
        for model in ("katrec", "sasrec")
    )
    assert row_of(sampled, "NDCG@5")[5] == f"{stats.ttest_rel(left, right).pvalue:.3f}"
    assert row_of(sampled, "Hit@10")[5] == "1"


def test_a_p_value_that_no_float64_holds_is_not_shown_as_zero():
    runs = {"sasrec": [finished([2] * 2000 + [3])], "katrec": [finished([1] * 2001)]}
    assert row_of(tables.table2(runs, 99)[0], "NDCG@5")[-1] == "< 1e-300"


def test_table_3_compares_variants_with_katrec():
    sampled, _ = tables.table3({"none": RUNS["katrec"], "concat": RUNS["sasrec"]}, 100, TITLES, OPEN)
    assert sampled.header == ["metric", "KATRec", "Concat"]
    assert float(row_of(sampled, "p, NDCG@10")[2]) < 1
    assert [row[0] for row in sampled.rows if row[0].startswith("p,")] == ["p, NDCG@10", "p, Hit@10"]
    one_seed = {"none": RUNS["katrec"], "concat": RUNS["katrec"][1:]}
    assert row_of(tables.table3(one_seed, 100, TITLES, OPEN)[0], "p, NDCG@10") == ["p, NDCG@10", "", "1"]


def test_open_choices_have_a_table_of_their_own():
    paper_variants, _, *open_choices = tables.table3(
        {"none": RUNS["katrec"], "concat": RUNS["sasrec"], "own_table": RUNS["bprmf"]}, 100, TITLES, OPEN
    )
    assert paper_variants.header == ["metric", "KATRec", "Concat"]
    assert [table.header for table in open_choices] == [["metric", "KATRec", "V* of its own"]] * 2


def test_one_model_and_one_seed_have_no_comparison():
    sampled, _ = tables.table2({"katrec": RUNS["katrec"][:1]}, 100)
    assert sampled.header == ["metric", "KATRec"]
    assert row_of(sampled, "Hit@5") == ["Hit@5", Cell("0.7500")]


def test_table_1_shows_the_papers_row():
    statistics = {
        "dataset": "yelp2018",
        "users": 1,
        "items": 2,
        "interactions": 3,
        "entities": 4,
        "relations": 5,
        "triplets": 6000,
        "density": 0.5,
    }
    table = tables.table1(statistics)
    assert table.rows == [
        ["yelp2018", "1", "2", "3", "4", "5", "6,000", "50.000%"],
        ["the paper's", "45,919", "45,538", "1,185,068", "90,961", "42", "1,853,704", "0.057%"],
    ]


@pytest.mark.parametrize(
    "dataset, expected",
    [
        ("amazon-book", [8.33, 6.91, 6.2, 5.94, 4.6, 6.64]),
        ("yelp2018", [6.17, 4.15, 3.6, 3.08, 2.2, 4.21]),
        ("lastfm", [2.36, -0.51, -0.24, -2.06, -1.15, 0.26]),
    ],
)
def test_the_papers_numbers_give_the_papers_improvements(dataset, expected):
    columns = paper.TABLE_2[dataset]
    for metric, improvement in zip(columns["katrec"], expected):
        best = max(values[metric] for model, values in columns.items() if model != "katrec")
        # The paper's column was made before its numbers were rounded.
        assert 100 * (columns["katrec"][metric] / best - 1) == pytest.approx(improvement, abs=0.1)
    assert paper.TABLE_3[dataset]["none"]["NDCG@10"] == columns["katrec"]["NDCG@10"]
    assert [table.title.split(" of ")[0] for table in tables.published(dataset, TITLES)] == ["Table 2", "Table 3"]


def test_marks_and_escapes():
    cells = ranked(["a", "b", "c", "d"], [1.0, 3.0, 3.0, 2.0])
    assert [cell.mark for cell in cells] == ["", "best", "best", "second"]
    table = Table("T", ["m", "<x>"], [["1", Cell("2", "best")]])
    assert table.markdown() == "## T\n\n| m | <x> |\n| --- | --- |\n| 1 | **2** |\n"
    assert "<th>&lt;x&gt;</th>" in table.html() and "<b>2</b>" in table.html()


def test_a_groups_metric():
    run = finished([20, 1, 1, 20])
    members = [np.array([True, False, False, False]), np.array([False, True, True, False])]
    np.testing.assert_allclose(group_metric([run], members, "NDCG@10"), [0, 1])


def test_other_cutoffs_are_rows_where_all_runs_have_them():
    runs = {model: [one._replace(result={**one.result}) for one in of_model] for model, of_model in RUNS.items()}
    for of_model in runs.values():
        for run in of_model:
            values = metrics(run.ranks["full"], (1, 5, 10, 20))
            run.result["test"] = {"sampled": values, "full": values}
    further = [row[0] for row in tables.table2(runs, 99)[0].rows]
    assert further == ["NDCG@1", "NDCG@5", "NDCG@10", "NDCG@20", "Hit@5", "Hit@10", "Hit@20", "MAP"]
    assert row_of(tables.table2(runs, 99)[1], "Hit@20")[1].text == "1.0000 ± 0.0000"
    paper_s = [row[0] for row in tables.table2({**runs, "bprmf": RUNS["bprmf"]}, 99)[0].rows]
    assert paper_s == ["NDCG@1", "NDCG@5", "NDCG@10", "Hit@5", "Hit@10", "MAP"]


def with_lists(coverage, ndcg):
    """A run whose result has the lists' metrics, and one group of each kind."""
    lists = {"Coverage@10": coverage, "Novelty@10": 7.25, "Popularity@10": 123.0, "Gini@10": 0.5}
    group = {"users": 3, "full": {"NDCG@10": ndcg, "Hit@10": 0.5, "MAP": 0.25}, "lists": lists}
    run = finished([1, 2])
    result = {**run.result, "test": {**run.result["test"], "lists": lists}}
    return run._replace(result={**result, "test_groups": {"popularity": {"rare": group}, "length": {"≤ 5": group}}})


def test_beyond_accuracy_by_hand():
    runs = {"sasrec": [with_lists(0.25, 0.125), with_lists(0.75, 0.375)], "katrec": [with_lists(1.0, 0.0)]}
    lists, popularity, length = beyond_accuracy({**runs, "bprmf": RUNS["bprmf"]})
    assert lists.header == ["metric", "SASRec", "KATRec"]
    assert lists.rows == [
        ["Coverage@10", "0.5000", "1.00"],
        ["Novelty@10", "7.25", "7.25"],
        ["Popularity@10", "123.0", "123.0"],
        ["Gini@10", "0.5000", "0.5000"],
    ]
    assert popularity.rows[0] == ["rare (3 users)", "NDCG@10", "0.2500", "0.0000"]
    assert length.rows[-1] == ["≤ 5 (3 users)", "Gini@10", "0.5000", "0.5000"]
    assert beyond_accuracy(RUNS) == []
