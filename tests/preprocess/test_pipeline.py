import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from katrec.common.command_line import UserError
from preprocess.k_core import core_rows
from preprocess.pipeline import Settings, leave_one_out, prepare
from preprocess.tables import Tables

ALL = Settings(0, 0, 0)


def tables(interactions, triplets=(), links=(), titles=None):
    return Tables(
        pd.DataFrame(interactions, columns=["user_id", "item_id", "timestamp"]),
        pd.DataFrame(triplets, columns=["head_id", "relation_id", "tail_id"], dtype=str),
        pd.DataFrame(links, columns=["item_id", "entity_id"], dtype=str),
        titles,
        (),
    )


def sequences(prepared):
    """Each raw user's raw items in order, held-out items at the end."""
    result = {}
    for user, raw in enumerate(prepared.user_ids):
        items = list(prepared.items[prepared.offsets[user] : prepared.offsets[user + 1]])
        items += [item[user] for item in (prepared.valid, prepared.test) if item[user] >= 0]
        result[raw] = [prepared.item_ids[item] for item in items]
    return result


interaction_rows = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("pqrst"), st.integers(0, 5)), min_size=1, max_size=60
)


@settings(deadline=None)
@given(interaction_rows, st.integers(0, 4))
def test_k_core_keeps_what_it_may(rows, k):
    frame = tables(rows).interactions
    kept = frame[core_rows(*(pd.factorize(frame[column])[0] for column in ("user_id", "item_id")), k)]
    for column in ("user_id", "item_id"):
        assert (kept[column].value_counts() >= k).all()
    # It is the largest such part: dropping rows one at a time, in another order, ends at the same rows.
    rest = frame
    while True:
        bad = [
            row
            for row in rest.index
            if min((rest[column] == rest[column][row]).sum() for column in ("user_id", "item_id")) < k
        ]
        if not bad:
            break
        rest = rest.drop(bad[-1])
    assert list(kept.index) == list(rest.index)


@settings(deadline=None)
@given(interaction_rows)
def test_order_is_kept_and_nothing_is_lost(rows):
    prepared = prepare(tables(rows), ALL)
    expected = {}
    for user, item, _ in sorted(rows, key=lambda row: row[2]):
        expected.setdefault(user, []).append(item)
    assert sequences(prepared) == expected
    for user, raw in enumerate(prepared.user_ids):
        enough = len(expected[raw]) >= 3
        assert (prepared.valid[user] >= 0) == (prepared.test[user] >= 0) == enough


@settings(deadline=None)
@given(interaction_rows, st.integers(1, 3))
def test_what_is_kept_is_dense_frequent_and_accounted_for(rows, k):
    try:
        prepared = prepare(tables(rows), Settings(k, 0, 0))
    except UserError:
        return
    histories = sequences(prepared)
    kept = [item for items in histories.values() for item in items]
    assert min(map(len, histories.values())) >= k
    assert min(kept.count(item) for item in set(kept)) >= k
    numbers = np.concatenate([prepared.items, prepared.valid, prepared.test])
    assert set(numbers) - {-1} == set(range(len(prepared.item_ids)))
    assert set(kept) == set(prepared.item_ids)
    # What is held out is in the training part no more often than it was repeated.
    for user, raw in enumerate(prepared.user_ids):
        training = prepared.items[prepared.offsets[user] : prepared.offsets[user + 1]]
        held = [prepared.valid[user], prepared.test[user]] if prepared.valid[user] >= 0 else []
        assert len(training) == len(histories[raw]) - len(held)
        assert [prepared.item_ids[item] for item in [*training, *held]] == histories[raw]
    core = next(row for row in prepared.report if "-core" in row["step"])
    assert (core["before"], core["kept"]) == (len(rows), len(kept))


def test_leave_one_out_by_hand():
    offsets, items, valid, test = leave_one_out(np.array([0, 0, 0, 1, 1, 2, 2, 2, 2]), np.arange(9, dtype=np.int32), 3)
    assert offsets.tolist() == [0, 1, 3, 5]
    assert items.tolist() == [0, 3, 4, 5, 6]
    assert valid.tolist() == [1, -1, 7]
    assert test.tolist() == [2, -1, 8]


def test_nothing_left_names_the_flag():
    with pytest.raises(UserError, match="lower --min_interactions"):
        prepare(tables([("a", "p", 1)]), Settings(2, 0, 0))


def names(prepared):
    return [
        (prepared.entity_ids[head], prepared.relation_ids[relation], prepared.entity_ids[tail])
        for head, relation, tail in prepared.triplets
    ]


ROWS = [("a", "p", 1), ("a", "q", 2), ("b", "p", 1)]
LINKS = [("p", "P"), ("q", "Q")]


def test_only_two_hops_are_kept():
    chain = [("P", "r", "1"), ("2", "r", "1"), ("2", "r", "3"), ("3", "r", "4")]
    assert set(names(prepare(tables(ROWS, chain, LINKS), ALL))) == {("P", "r", "1"), ("2", "r", "1")}


def test_rare_entities_then_rare_relations_go_and_items_stay():
    triplets = [("P", "r", "1"), ("Q", "r", "1"), ("P", "s", "1"), ("Q", "r", "2"), ("Q", "s", "P")]
    prepared = prepare(tables(ROWS, triplets, LINKS), Settings(0, 2, 0))
    assert set(names(prepared)) == set(triplets) - {("Q", "r", "2")}
    prepared = prepare(tables(ROWS, triplets, LINKS), Settings(0, 4, 0))
    assert names(prepared) == [("Q", "s", "P")]
    prepared = prepare(tables(ROWS, triplets, LINKS), Settings(0, 2, 3))
    assert names(prepared) == []
    assert prepared.triplets.shape == (0, 3)


def test_a_repeated_triplet_counts_once():
    prepared = prepare(tables(ROWS, [("P", "r", "1")] * 3, LINKS), Settings(0, 2, 0))
    assert names(prepared) == []
    assert {"step": "repeated triplets", "before": 3, "kept": 1, "dropped": 2} in prepared.report


def test_an_entity_of_two_items_gives_both_its_triplets():
    prepared = prepare(tables(ROWS, [("P", "r", "1"), ("1", "s", "P")], [("p", "P"), ("q", "P")]), ALL)
    assert prepared.triplets.tolist() == [[0, 0, 2], [1, 0, 2], [2, 1, 0], [2, 1, 1]]


def test_items_come_first_and_unlinked_items_stay():
    prepared = prepare(tables(ROWS, [("Q", "r", "1")], [("q", "Q"), ("gone", "1")]), ALL)
    assert prepared.item_ids.tolist() == ["p", "q"]
    # What was linked to an item that is not kept is an entity like any other.
    assert prepared.entity_ids.tolist() == ["", "Q", "1"]
    assert prepared.triplets.tolist() == [[1, 0, 2]]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from("PQ123"), st.sampled_from("rs"), st.sampled_from("PQ123")), max_size=25),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_triplets_are_sorted_unique_and_within_range(triplets, entity_count, relation_count):
    prepared = prepare(tables(ROWS, triplets, LINKS), Settings(0, entity_count, relation_count))
    rows = [tuple(row) for row in prepared.triplets.tolist()]
    assert rows == sorted(set(rows))
    assert set(names(prepared)) <= set(triplets)
    assert len(set(prepared.entity_ids)) == len(prepared.entity_ids)
    for head, relation, tail in rows:
        assert max(head, tail) < len(prepared.entity_ids)
        assert relation < len(prepared.relation_ids)
    used = {node for head, _, tail in rows for node in (head, tail)}
    assert set(range(2, len(prepared.entity_ids))) <= used
    steps = [row for row in prepared.report if "before" in row]
    assert all(row["before"] - row["dropped"] == row["kept"] for row in steps)


COLD = Settings(2, 0, 0, cold_items=True)
SHOP = (
    # q has one interaction, and the log has no r, s and t.
    [("u", "o", 1), ("u", "p", 2), ("u", "q", 3), ("v", "o", 4), ("v", "p", 5), ("w", "p", 6), ("w", "o", 7)],
    [("eo", "kind", "k"), ("er", "kind", "k"), ("eq", "kind", "k"), ("es", "kind", "far"), ("far", "kind", "k")],
    [("o", "eo"), ("p", "ep"), ("q", "eq"), ("r", "er"), ("s", "es"), ("t", "et")],
)


def test_linked_items_without_interactions_are_kept_where_a_triplet_has_them():
    prepared = prepare(tables(*SHOP), COLD)
    assert prepared.item_ids.tolist() == ["o", "p", "q", "r", "s"]
    assert [prepared.item_ids[item] for item in prepared.cold] == ["q", "r", "s"]
    assert sequences(prepared) == {"u": ["o", "p"], "v": ["o", "p"], "w": ["p", "o"]}
    row = next(row for row in prepared.report if "without interactions" in row["step"])
    assert (row["before"], row["kept"]) == (4, 3)
    as_before = prepare(tables(*SHOP), COLD._replace(cold_items=False))
    assert as_before.item_ids.tolist() == ["o", "p"] and not len(as_before.cold)


def test_a_cold_items_id_is_one_line():
    rows, triplets, links = SHOP
    broken = [*links[:3], ("r\tr", "er"), *links[4:]]
    with pytest.raises(UserError, match="^links: item_id 'r.*r' holds a tab or a line end; replace it$"):
        prepare(tables(rows, triplets, broken), COLD)
    # It stays out where cold items do.
    assert prepare(tables(rows, triplets, broken), COLD._replace(cold_items=False)).item_ids.tolist() == ["o", "p"]


def test_an_item_that_only_held_out_places_have_is_cold_too():
    rows = [("u", "o", 1), ("u", "o", 2), ("u", "p", 3)]
    prepared = prepare(
        tables(rows, [("eo", "kind", "ep")], [("o", "eo"), ("p", "ep")]), COLD._replace(min_interactions=0)
    )
    assert [prepared.item_ids[item] for item in prepared.cold] == ["p"] and prepared.test.tolist() == [1]
