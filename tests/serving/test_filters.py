"""exclude, include and allow_seen, from the SavedModel to the command line."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from katrec.common.command_line import UserError
from katrec.serving import Recommender
from katrec.serving.filters import padded_ids
from tests.serving.test_served import users_of

ITEMS = [f"i{number}" for number in range(24)]
lists = st.lists(st.sampled_from([*ITEMS, "unknown"]), max_size=8)
requests = st.lists(st.tuples(lists, lists, lists), min_size=1, max_size=4)


@pytest.fixture
def recommender(exported, load_once, make_settings):
    return load_once(exported("katrec", make_settings)[1])[1]


@pytest.mark.parametrize("variant", ["katrec", "next item", "explicit users"])
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=requests, allow_seen=st.booleans(), k=st.integers(1, 20))
def test_the_best_of_what_is_left(exported, load_once, make_settings, variant, requests, allow_seen, k):
    """The scores are those of `recommend_from`; what may be recommended is worked out here."""
    signatures = load_once(exported(variant, make_settings)[1])[0].signatures
    histories, exclude, include = map(list, zip(*requests))
    inputs = {"history": padded_ids(histories), **users_of(signatures["recommend"], len(requests))}
    given = signatures["recommend_filtered"](
        k=tf.constant(k),
        exclude=padded_ids(exclude),
        include=padded_ids(include),
        allow_seen=tf.constant(allow_seen),
        cold_slots=tf.constant(-1),
        **inputs,
    )
    every = tf.constant([ITEMS] * len(requests))
    scores = signatures["recommend_from"](candidates=every, **inputs)["scores"].numpy()
    for row, (history, without, chosen) in enumerate(requests):
        barred = set(without) | (set() if allow_seen else set(history))
        allowed = [item for item in ITEMS if item not in barred and (not chosen or item in chosen)]
        found = [item.decode() for item in given["items"].numpy()[row] if item]
        assert len(set(found)) == len(found) == min(k, len(allowed)) and set(found) <= set(allowed)
        best = sorted((scores[row, ITEMS.index(item)] for item in allowed), reverse=True)[: len(found)]
        np.testing.assert_allclose(given["scores"].numpy()[row, : len(found)], best, rtol=1e-3, atol=1e-4)
        own = [scores[row, ITEMS.index(item)] for item in found]
        np.testing.assert_allclose(own, best, rtol=1e-3, atol=1e-4)
        assert given["unknown"].numpy()[row] == history.count("unknown")


def test_rows_that_are_not_as_many_are_refused(exported, load_once, make_settings):
    signature = load_once(exported("katrec", make_settings)[1])[0].signatures["recommend_filtered"]
    two, one = tf.constant([["i1"], ["i2"]]), tf.constant([["i3"]])
    rest = {"history": two, "k": tf.constant(3), "allow_seen": tf.constant(False), "cold_slots": tf.constant(-1)}
    for name, other in (("exclude", "include"), ("include", "exclude")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"each history needs one row of {name}"):
            signature(**{name: one, other: two}, **rest)


@pytest.mark.parametrize("slots", [0, 2, 5, 30])
@pytest.mark.parametrize("k", [1, 4, 20])
def test_cold_slots_have_the_best_cold_items(exported, load_once, make_settings, slots, k):
    saved = load_once(exported("next item", make_settings)[1])[0]
    chosen = ["i3", "i8", "i13", "i21"]
    is_cold = np.isin(ITEMS, chosen)
    # In the order of the items' numbers.
    names = saved.signatures["item_table"]()["items"].numpy().astype(str)
    saved.is_cold.assign(np.isin(names, chosen))
    try:
        history = {"history": tf.constant([["i1", "i3"], ["i2", "i5"]])}
        every = tf.constant([ITEMS] * 2)
        scores = saved.signatures["recommend_from"](candidates=every, **history)["scores"].numpy()
        nothing = tf.constant([[""]] * 2)
        given = saved.signatures["recommend_filtered"](
            k=tf.constant(k),
            exclude=nothing,
            include=nothing,
            allow_seen=tf.constant(False),
            cold_slots=tf.constant(slots),
            **history,
        )
    finally:
        saved.is_cold.assign(np.zeros(len(ITEMS), bool))
    for row, seen in enumerate((["i1", "i3"], ["i2", "i5"])):
        order = [int(one) for one in np.argsort(-scores[row]) if ITEMS[one] not in seen]
        cold = [one for one in order if is_cold[one]][: min(slots, k)]
        warm = [one for one in order if not is_cold[one]][: k - len(cold)]
        expected = sorted(cold + warm, key=lambda one: -scores[row, one])
        found = [item.decode() for item in given["items"].numpy()[row] if item]
        assert found == [ITEMS[one] for one in expected]
        flags = given["cold"].numpy()[row]
        assert (
            flags[: len(found)].tolist() == [bool(is_cold[one]) for one in expected] and not flags[len(found) :].any()
        )


def test_lists_for_all_and_for_each(recommender):
    histories = [["i1", "i2"], ["i3"]]
    plain = recommender.recommend(histories, 20)
    first = [items[0][0] for items in plain]
    without = recommender.recommend(histories, 20, exclude=first)
    for items, left in zip(plain, without):
        left_of_plain = [item for item, _ in items if item not in first]
        assert [item for item, _ in left][: len(left_of_plain)] == left_of_plain
        assert not {item for item, _ in left} & set(first)
    each = recommender.recommend(histories, 20, exclude=[[first[0]], []])
    assert each[0][0][0] == plain[0][1][0] and [item for item, _ in each[1]] == [item for item, _ in plain[1]]
    chosen = recommender.recommend(histories, 5, include=["i7", "i9", "i1"])
    assert [{item for item, _ in items} for items in chosen] == [{"i7", "i9"}, {"i1", "i7", "i9"}]
    seen = recommender.recommend(histories, 5, include=["i7", "i1"], allow_seen=True)
    assert [{item for item, _ in items} for items in seen] == [{"i1", "i7"}, {"i1", "i7"}]
    streamed = list(recommender.recommend_stream(iter(histories), 5, include=iter([["i5"], ["i6"]])))
    alone = [
        recommender.recommend([history], 5, include=[items])[0] for history, items in zip(histories, (["i5"], ["i6"]))
    ]
    assert [[item for item, _ in items] for items in streamed] == [["i5"], ["i6"]]
    assert [[item for item, _ in items] for items in alone] == [["i5"], ["i6"]]
    # A product may add up in another order for two users at once than for one.
    scores = [[score for _, score in items] for items in streamed]
    assert scores == [pytest.approx([score for _, score in items], rel=1e-5) for items in alone]


def test_an_empty_list_to_include_is_no_lack_of_one(recommender):
    assert recommender.recommend([["i1"]], 3, include=[]) == recommender.recommend([["i1"]], 3, include=[""]) == [[]]
    answers = recommender.recommend([["i1"], ["i2"]], 3, include=[[], ["i4"]])
    assert [[item for item, _ in items] for items in answers] == [[], ["i4"]]


def test_frames_take_one_list_for_all(recommender):
    frame = pd.DataFrame({"user": ["a", "a", "b"], "item": ["i1", "i2", "i3"], "timestamp": [1, 2, 3]})
    given = recommender.recommend(frame, 5, include=["i7", "i9"], exclude=["i9"])
    assert list(given["item"]) == ["i7", "i7"]
    with pytest.raises(ValueError, match="give exclude and include as one list for all"):
        recommender.recommend(frame, 5, exclude=[["i7"], ["i9"]])


def test_unknown_ids_to_include_are_said(recommender):
    with pytest.warns(UserWarning, match="1 item ids of include are not known .* for example 'nothing'"):
        assert recommender.recommend([["i1"]], 3, include=["nothing", "i4"])[0][0][0] == "i4"
    # What is not known is not recommended anyway.
    recommender.recommend([["i1"]], 3, exclude=["nothing"])


@pytest.mark.parametrize(
    "values, message",
    [
        ({"exclude": "i1"}, "exclude is 'i1', it must be a list of item ids"),
        ({"include": 3}, "include is 3, it must be a list"),
        ({"include": [["i1"]]}, "there are fewer lists of include than histories"),
        ({"exclude": [["i1"]] * 3}, "there are more lists of exclude than histories"),
        ({"exclude": [["i1"], "i2"]}, "exclude has 'i2' where a history's list of item ids is expected"),
    ],
)
def test_wrong_lists_are_said(recommender, values, message):
    with pytest.raises(ValueError, match=message):
        recommender.recommend([["i1"], ["i2"]], 3, **values)


def test_an_export_without_filters_says_so(recommender):
    class Earlier:
        signatures = {name: one for name, one in recommender.signatures.items() if name != "recommend_filtered"}

    earlier = Recommender(Earlier, {})
    assert earlier.recommend([["i1"]], 2) == recommender.recommend([["i1"]], 2)
    with pytest.raises(UserError, match="without filters; export the run again"):
        earlier.recommend([["i1"]], 2, allow_seen=True)
