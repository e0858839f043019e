import itertools
import json

import numpy as np
import pandas as pd
import pytest

from katrec.common.command_line import UserError
from katrec.data import collaborative_graph
from katrec.serving import Recommender
from katrec.serving.drawing import draw
from katrec.serving.formats import as_csv, as_json, as_table, split
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
        (lambda model: model.recommend(pd.DataFrame({"user": []})), "no column 'item'"),
        (lambda model: model.similar_items("none"), "item 'none' is not known"),
        (lambda model: model.similar_items("i1", 24), "k is 24, it must be from 1 to 23"),
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
    model = load_once(exported("gru4rec", make_settings)[1])[1]
    explanation = model.explain(["i1"], "i2")
    assert explanation.attention == [] and "gru4rec has no knowledge graph" in explanation.text()


def test_formats(recommender):
    rows = [{"rank": 1, "item": "i9", "title": "Film 9", "score": 0.25}]
    explanations = [recommender.explain(["i1", "i5"], "i9")]
    assert as_table(rows, [None]).splitlines()[1].split() == ["1", "0.2500", "i9", "Film", "9"]
    assert "path " in as_table(rows, explanations)
    assert as_csv(rows, [None]) == "rank,item,title,score\n1,i9,Film 9,0.25\n"
    assert as_csv(rows, explanations).startswith("rank,item,title,score,explanation\n")
    parsed = json.loads(as_json(rows, explanations))
    assert parsed[0]["explanation"]["paths"][0]["hops"][0]["source"] == "Film 9"
    assert split(" i1, i2 ,,i3") == ["i1", "i2", "i3"]
