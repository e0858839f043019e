import itertools
import json
import warnings

import numpy as np
import pandas as pd
import pytest

from katrec.common.command_line import UserError
from katrec.data import collaborative_graph
from katrec.serving import Recommender
from katrec.serving.drawing import draw
from katrec.serving.formats import as_csv, as_json, as_table
from katrec.serving.paths import PathFinder


@pytest.fixture
def recommender(exported, load_once, make_settings):
    return load_once(exported("katrec", make_settings)[1])[1]


def test_lists_arrays_and_frames_give_the_same(recommender):
    histories = [["i1", "i2", "i3"], ["i4", "i5", "i6"]]
    lists = recommender.recommend(histories, 5)
    assert recommender.recommend(np.array(histories), 5) == lists
    rows = [(user, item, time) for user, items in zip("ba", histories) for time, item in enumerate(items)]
    frame = pd.DataFrame(rows[::-1], columns=["user", "item", "timestamp"])
    given = recommender.recommend(frame, 5)
    assert list(given["user"]) == ["a"] * 5 + ["b"] * 5
    assert list(given["item"]) == [item for items in lists[::-1] for item, _ in items]
    assert recommender.recommend([]) == [] and len(recommender.recommend(frame[:0])) == 0


def test_many_histories_are_answered_in_order(recommender):
    histories = [[f"i{number % 24}"] for number in range(1100)]
    answers = recommender.recommend(histories, 2)
    assert len(answers) == 1100
    for left, right in zip(answers[:24], answers[1080:]):
        assert [item for item, _ in left] == [item for item, _ in right]


def test_users_matter_where_the_model_knows_them(exported, load_once, make_settings):
    model = load_once(exported("explicit users", make_settings)[1])[1]
    assert model.takes_users
    known, other, unknown, none = (model.recommend([["i1"]], 5, users)[0] for users in (["u1"], ["u2"], ["x"], None))
    assert known != other and unknown == none


def test_similar_items_are_by_cosine(recommender, exported, make_settings):
    model = exported("katrec", make_settings)[0]
    vectors = model.inference_tables().outputs.numpy()
    ids = [recommender.recommend([[]], 20)[0][0][0], *dict(recommender.similar_items("i3", 23))]
    assert "i3" not in ids[1:] and len(set(ids[1:])) == 23
    first, cosine = recommender.similar_items("i3", 1)[0]
    rows = {item.decode(): row for row, item in enumerate(recommender.signatures["item_table"]()["items"].numpy())}
    one, other = vectors[rows["i3"]], vectors[rows[first]]
    assert cosine == pytest.approx(one @ other / np.linalg.norm(one) / np.linalg.norm(other), rel=1e-3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda model: model.recommend([["i1"]], 0), "k is 0, it must be from 1 to 20"),
        (lambda model: model.recommend([["i1"]], 21), "k is 21"),
        (lambda model: model.recommend("i1"), "not the text 'i'"),
        (lambda model: model.similar_items("none"), "item 'none' is not known"),
        (lambda model: model.similar_items("i1", 24), "k is 24, it must be from 1 to 23"),
        (lambda model: model.recommend(pd.DataFrame({"user": []})), "needs the columns user_id, item_id, timestamp"),
        (lambda model: model.recommend([["i1"]], 2.0), "k is 2.0, it must be a whole number from 1 to 20"),
        (lambda model: model.recommend([["i1"]], True), "k is True, it must be a whole number"),
        (lambda model: model.recommend([["i1"]], users=["u1"]), "does not know users"),
        (lambda model: model.recommend([1, 2]), "not 1; is it a list of histories"),
        (lambda model: model.similar_items("i1", 2.0), "k is 2.0, it must be a whole number from 1 to 23"),
    ],
)
def test_wrong_calls_are_said(recommender, call, message):
    with pytest.raises(ValueError, match=message):
        call(recommender)


def test_what_is_no_export_is_said(tmp_path):
    with pytest.raises(UserError, match="no SavedModel; python -m katrec.export writes one"):
        Recommender.load(str(tmp_path))


def all_paths(graph, weights, num_entities, item, goals):
    """Every path of two and three hops over entities, by loops."""
    best = {}
    for head, relation, tail, weight in zip(graph.heads, graph.relations, graph.tails, weights):
        if max(head, tail) < num_entities and weight > best.get((head, tail), (0,))[-1]:
            best[head, tail] = (int(head), int(relation), int(tail), float(weight))
    out = {}
    for edge in best.values():
        out.setdefault(edge[0], []).append(edge)
    found = []
    for first in out.get(item, []):
        for second in out.get(first[2], []):
            if len({item, first[2], second[2]}) == 3:
                if second[2] in goals:
                    found.append((first, second))
                found += [
                    (first, second, third)
                    for third in out.get(second[2], [])
                    if third[2] in goals and len({item, first[2], second[2], third[2]}) == 4
                ]
    return sorted(found, key=lambda path: -np.prod([edge[3] for edge in path]))


def test_paths_are_the_strongest(tiny_dataset, generator):
    graph = collaborative_graph.build(tiny_dataset)
    weights = generator.random(len(graph.heads)).astype(np.float32)
    finder = PathFinder(graph, weights, tiny_dataset.num_entities)
    for item, history in itertools.product((0, 5, 23), ([1, 2, 3], [7], [0, 5, 9, 9], [])):
        expected = all_paths(graph, weights, tiny_dataset.num_entities, item, set(history) - {item})[:6]
        found = finder.find(item, history, 6)
        assert [[(step.relation, step.node) for step in path.steps] for path in found] == [
            [(edge[1], edge[2]) for edge in path] for path in expected
        ]
        for path, edges in zip(found, expected):
            assert path.weight == pytest.approx(np.prod([edge[3] for edge in edges]))


def test_explanations(recommender, exported, load_once, make_settings, tmp_path):
    history = ["i1", "i2", "i5", "unknown"]
    explanation = recommender.explain(history, "i9")
    assert explanation.name == "Film 9" and explanation.note == ""
    for hops, weight in explanation.paths:
        assert hops[0].source == "Film 9" and hops[-1].target in ("Film 1", "Film 2", "Film 5")
        assert weight == pytest.approx(np.prod([hop.weight for hop in hops]))
        assert all(first.target == second.source for first, second in zip(hops, hops[1:]))
    assert [name for name, _ in explanation.attention] == ["Film 1", "Film 2", "Film 5"]
    assert 0 < sum(weight for _, weight in explanation.attention) <= 1
    assert "Film 9 —film." in explanation.text() and "attention: Film" in explanation.text()
    draw(explanation).savefig(tmp_path / "paths.svg")
    assert "<svg" in (tmp_path / "paths.svg").read_text()
    saved = load_once(exported("katrec", make_settings)[1])[0]
    absent = Recommender(saved, recommender.titles, str(tmp_path)).explain(history, "i9")
    assert absent.paths == [] and "they need the prepared data set tiny" in absent.text()
    with pytest.raises(ValueError, match="no paths to draw"):
        draw(absent)


def test_models_without_a_graph_say_so(exported, load_once, make_settings):
    model = load_once(exported("sasrec", make_settings)[1])[1]
    explanation = model.explain(["i1"], "i2")
    assert explanation.attention == [] and "sasrec has no knowledge graph" in explanation.text()


def test_formats(recommender):
    rows = [{"rank": 1, "item": "i9", "title": "Film 9", "score": 0.25, "cold": True}]
    explanations = [recommender.explain(["i1", "i5"], "i9")]
    assert as_table(rows, [None]).splitlines()[1].split() == ["1", "0.2500", "i9", "Film", "9", "(cold)"]
    assert "path " in as_table(rows, explanations)
    assert as_csv(rows, [None]) == "rank,item,title,score,cold\n1,i9,Film 9,0.25,1\n"
    assert as_csv(rows, explanations).startswith("rank,item,title,score,cold,explanation\n")
    parsed = json.loads(as_json(rows, explanations))
    assert parsed[0]["explanation"]["paths"][0]["hops"][0]["source"] == "Film 9"


@pytest.mark.parametrize("k", [2, np.int64(2), np.int32(2), np.uint8(2)])
def test_k_may_be_any_integer(recommender, k):
    assert recommender.recommend([["i1"]], k) == recommender.recommend([["i1"]], 2)


def test_ids_of_any_type_are_the_same(recommender):
    expected = recommender.recommend([["i1", "i2"]], 3)
    assert recommender.recommend([[b"i1", np.str_("i2")]], 3) == expected
    assert recommender.recommend(np.array([[b"i1", b"i2"]]), 3) == expected


@pytest.mark.parametrize(
    "histories, message",
    [
        ([["i1", "x"], ["i2"]], r"^1 of 3 item ids are not known to the model and were passed over, for example 'x'$"),
        ([["i1", None]], "1 of 2 item ids .* for example a missing one"),
        ([["i1", float("nan")]], "1 of 2 item ids .* for example a missing one"),
        ([[1.0, 2.0], ["i1"]], "2 of 3 item ids .* for example '1'; 1 of 2 histories have no known id and got the pop"),
    ],
)
def test_unknown_ids_are_said(recommender, histories, message):
    with pytest.warns(UserWarning, match=message):
        lists = recommender.recommend(histories, 2)
    with pytest.warns(UserWarning, match=message):
        assert list(recommender.recommend_stream(iter(histories), 2)) == lists


def test_known_ids_and_empty_histories_are_no_reason_to_warn(recommender):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recommender.recommend([["i1", ""], [], ["", ""]], 2)


def test_each_history_needs_one_user(exported, load_once, make_settings):
    model = load_once(exported("explicit users", make_settings)[1])[1]
    for histories, users, message in (
        ([["i1"]] * 3, ["u1"] * 2, "3 histories and 2 users: each history needs one user"),
        (iter([["i1"]] * 3), iter(["u1"] * 2), "fewer users than histories"),
        (iter([["i1"]] * 2), iter(["u1"] * 3), "more users than histories"),
    ):
        with pytest.raises(ValueError, match=message):
            model.recommend(histories, 2, users)


TIMES = {
    "text": ["9", "10", "11"],
    "dates": pd.to_datetime(["2020-01-09", "2020-01-10", "2020-01-11"]),
    "ISO text": ["2020-01-09", "2020-01-10T00:00:00", "2020-01-11T00:00:00Z"],
    "nanoseconds": [1600000000000000001, 1600000000000000002, 1600000000000000003],
}


@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES.keys())
@pytest.mark.parametrize("names", [("user_id", "item_id"), ("user", "item")])
def test_frames_may_have_times_of_any_kind(recommender, times, names):
    frame = pd.DataFrame({names[0]: ["a"] * 3, names[1]: ["i1", "i2", "i3"], "timestamp": times})
    given = recommender.recommend(frame.iloc[[2, 0, 1]], 4)
    assert list(given.columns) == [names[0], "rank", names[1], "score", "cold"]
    [expected] = recommender.recommend([["i1", "i2", "i3"]], 4)
    assert list(given[names[1]]) == [item for item, _ in expected]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"timestamp": [1, None]}, "row 1: the time is missing"),
        ({"timestamp": ["1", "soon"]}, "row 1: the time 'soon' is neither"),
        ({"user_id": ["a", None]}, "row 1: user_id is missing"),
    ],
)
def test_wrong_frames_are_said(recommender, changes, message):
    frame = pd.DataFrame({"user_id": ["a", "b"], "item_id": ["i1", "i2"], "timestamp": [1, 2]}).assign(**changes)
    with pytest.raises(UserError, match=message):
        recommender.recommend(frame, 2)
    twice = pd.concat([frame, frame[["item_id"]]], axis=1)
    with pytest.raises(ValueError, match="stands in the DataFrame twice"):
        recommender.recommend(twice, 2)
