"""Items that came after the training: added to an export, found, explained, and nothing else changes."""

import numpy as np
import pandas as pd
import pytest

import katrec
from katrec.common.command_line import UserError
from katrec.serving.additions import add_items
from tests.conftest import SMALL, slow_but

TRIPLETS = pd.DataFrame(
    [
        ("n.1", "film.genre", "g.1"),
        ("n.1", "film.director", "d.2"),
        ("m.5", "film.sequel", "n.1"),
        ("n.2", "film.genre", "g.9"),
        ("n.1", "film.colour", "g.1"),
    ],
    columns=["head_id", "relation_id", "tail_id"],
)
LINKS = pd.DataFrame([("new1", "n.1"), ("new2", "n.2")], columns=["item_id", "entity_id"])
TITLES = pd.DataFrame({"item_id": ["new1"], "title": ["New film"]})
HISTORIES = [["i1", "i5", "i9"], ["i2"], ["i7", "i3", "i11", "i15", "i19"], []]
TRAINING = {"train_steps": 4, "eval_every_steps": 2, "pretrain_epochs": 1, "pretrain_kg_epochs": 1, "num_negatives": 5}


@pytest.fixture(scope="module", params=slow_but(["katrec", "katrec_next_item"], "katrec_next_item"))
def extended(request, datasets_dir, tmp_path_factory):
    """An export, that of the same run with an item more, and of this export with another one."""
    folder = tmp_path_factory.mktemp("additions")
    settings = katrec.Settings(model=request.param, **SMALL, **TRAINING)
    run = katrec.fit("tiny", settings, str(folder / "run"), str(datasets_dir))
    before = run.export(str(folder / "before"), 20, extendable=True)
    with pytest.warns(UserWarning) as told:
        after = add_items(run, TRIPLETS, LINKS, TITLES, to=str(folder / "after"), datasets_dir=str(datasets_dir))
    own = pd.DataFrame([("x", "film.genre", "g.2"), ("x", "film.sequel", "n.1")], columns=TRIPLETS.columns)
    twice = add_items(str(folder / "after"), own, to=str(folder / "twice"), datasets_dir=str(datasets_dir))
    return folder, before, after, twice, [str(one.message) for one in told if one.category is UserWarning]


def test_earlier_items_score_as_they_did(extended):
    _, before, after, twice, _ = extended
    items = before.items
    for recommender, added in ((after, ["new1"]), (twice, ["new1", "x"])):
        assert recommender.items == items + added
        for name, output in (("recommend_from", "scores"), ("encode", "vectors")):
            inputs = {"candidates": np.array([items] * len(HISTORIES))} if output == "scores" else {}
            given, expected = (
                one.signatures[name](**one._inputs(HISTORIES, None), **inputs) for one in (recommender, before)
            )
            # The same sums, in an order that may depend on the number of items: by the processor's product.
            np.testing.assert_allclose(given[output], expected[output], rtol=1e-5, atol=1e-7)


def test_new_items_are_ranked_said_to_be_cold_and_explained(extended):
    _, before, after, twice, told = extended
    assert "item 'new2': left out, no triplet joins it to a known entity" in told[0]
    assert any("triplets left out: 1, the relation is not known" in one for one in told)
    [first] = after.recommend([["i1", "i5", "i9"]], 20)
    assert "new1" in dict(first) and after.is_cold("new1") and not after.is_cold("i1")
    assert after.titles["new1"] == "New film" and "New film" in after.explain(["i1"], "new1").text()
    assert after.explain(["i5"], "new1").paths
    # What came together with the second addition stands beside the first.
    assert any(
        "New film" in (hop.source, hop.target) for hops, _ in twice.explain(["i5"], "x", count=9).paths for hop in hops
    )
    frame = pd.DataFrame({"user_id": ["a"], "item_id": ["i1"], "timestamp": [1]})
    given = after.recommend(frame, 20)
    assert set(given["item_id"][given["cold"]]) == {"new1"}
    assert [item for item, _ in after.recommend([["i1"]], 4, cold_slots=1)[0]].count("new1") == 1
    assert "new1" not in dict(after.recommend([["i1"]], 20, cold_slots=0)[0])
    # As part of a history a new item is read.
    assert after.recommend([["i1", "new1"]], 3) != after.recommend([["i1"]], 3)


def test_a_new_items_vector_is_what_its_edges_give(extended):
    """Two new items with the same triplets are the same; another genre makes another."""
    folder, *_ = extended
    rows = [(name, "film.genre", genre) for name, genre in (("a", "g.1"), ("b", "g.1"), ("c", "g.3"))]
    same = add_items(str(folder / "before"), pd.DataFrame(rows, columns=TRIPLETS.columns), to=str(folder / "same"))
    table = same.signatures["item_table"]()
    a, b, c = table["vectors"].numpy()[-3:, :-1]
    np.testing.assert_allclose(a, b, atol=1e-5)
    assert np.abs(a - c).max() > 1e-3
    assert table["cold"].numpy().tolist() == [False] * 24 + [True] * 3


@pytest.mark.parametrize(
    "triplets, links, message",
    [
        (TRIPLETS, pd.DataFrame({"item_id": ["i1"], "entity_id": ["m.1"]}), "item 'i1': known already"),
        (TRIPLETS.drop(columns="tail_id"), None, "triplets: no column 'tail_id'"),
        (TRIPLETS.assign(head_id=[None] * 5), None, "triplets: row 0: head_id is empty"),
        (TRIPLETS, pd.DataFrame({"item_id": ["a", "a"], "entity_id": ["x", "y"]}), "item 'a' is linked to a second"),
        (TRIPLETS, LINKS.iloc[1:], "no new item can be added: item 'new2'"),
        (TRIPLETS.replace("n.1", "n\n1"), None, "triplets: head_id .* holds a tab or a line end"),
    ],
)
def test_wrong_tables_are_said_and_nothing_is_written(extended, tmp_path, triplets, links, message):
    with pytest.raises(UserError, match=message):
        add_items(str(extended[0] / "before"), triplets, links, to=str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_exports_that_cannot_be_extended_say_so(extended, exported, make_settings, tmp_path, datasets_dir):
    with pytest.raises(UserError, match="exported without --extendable"):
        add_items(str(exported("katrec", make_settings)[1]), TRIPLETS, to=str(tmp_path / "new"))
    with pytest.raises(UserError, match="exists; remove it"):
        add_items(str(extended[0] / "before"), TRIPLETS, to=str(extended[0] / "before"))
    settings = katrec.Settings(model="sasrec", **SMALL, **TRAINING)
    run = katrec.fit("tiny", settings, str(tmp_path / "run"), str(datasets_dir))
    with pytest.raises(UserError, match="sasrec knows items by their interactions alone"):
        run.export(str(tmp_path / "sasrec"), extendable=True)
    assert not (tmp_path / "sasrec").exists()


def test_the_command(extended, command, tmp_path):
    TRIPLETS.to_csv(tmp_path / "triplets.csv", index=False)
    LINKS.to_csv(tmp_path / "links.tsv", index=False, sep="\t")
    arguments = [f"--saved_model={extended[0] / 'before'}", f"--triplets={tmp_path / 'triplets.csv'}"]
    arguments += [f"--links={tmp_path / 'links.tsv'}", f"--to={tmp_path / 'new'}"]
    done = command("katrec.add_items", *arguments)
    assert done.returncode == 0, done.stderr
    assert "warning: item 'new2': left out" in done.stderr and done.stdout.startswith("added 1 items to the 24 of")
    again = command("katrec.add_items", *arguments)
    assert again.returncode == 2 and "exists; remove it" in again.stderr and again.stderr.count("\n") == 1
    other = command("katrec.add_items", *arguments[:1], "--triplets=new.xlsx", f"--to={tmp_path / 'other'}")
    assert other.returncode == 2 and "the ending says what a file is" in other.stderr
