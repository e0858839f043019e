"""What recommended lists are like, against plain loops and other formulas."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from katrec.evaluation.groups import by_length, by_popularity
from katrec.evaluation.lists import LIST_METRICS, list_metrics


@st.composite
def recommended(draw):
    """Lists of different items with their ends filled up with −1, and each item's interactions."""
    num_items = draw(st.integers(2, 9))
    length = draw(st.integers(1, num_items))
    lists = draw(st.lists(st.permutations(range(num_items)).map(lambda p: p[:length]), min_size=1, max_size=6))
    shorter = draw(st.lists(st.integers(1, length), min_size=len(lists), max_size=len(lists)))
    lists = [[*items[:count], *[-1] * (length - count)] for items, count in zip(lists, shorter)]
    counts = draw(st.lists(st.integers(0, 40), min_size=num_items, max_size=num_items))
    return np.array(lists), np.array(counts), draw(st.integers(1, length))


@given(recommended())
def test_against_plain_loops(example):
    lists, counts, cutoff = example
    shown = [item for items in lists.tolist() for item in items[:cutoff] if item >= 0]
    times = [shown.count(item) for item in range(len(counts))]
    # Gini as half the relative mean absolute difference.
    differences = sum(abs(one - other) for one, other in itertools.product(times, times))
    expected = {
        "Coverage": len(set(shown)) / len(counts),
        "Novelty": sum(math.log2(50 / max(counts[item], 1)) for item in shown) / len(shown),
        "Popularity": sum(int(counts[item]) for item in shown) / len(shown),
        "Gini": differences / (2 * len(counts) * sum(times)),
    }
    values = list_metrics(lists, counts, 50, cutoff)
    assert values == pytest.approx({f"{name}@{cutoff}": expected[name] for name in LIST_METRICS})


def test_the_ends_of_gini():
    counts = np.ones(4, int)
    assert list_metrics(np.array([[0, 1], [2, 3]]), counts, 4, 2)["Gini@2"] == 0
    assert list_metrics(np.array([[2, -1], [2, -1]]), counts, 4, 2)["Gini@2"] == 3 / 4


def test_what_cannot_be_measured():
    with pytest.raises(ValueError, match="fewer than 3"):
        list_metrics(np.zeros((1, 2), int), np.ones(4, int), 4, 3)
    with pytest.raises(ValueError, match="no recommended item"):
        list_metrics(np.full((1, 2), -1), np.ones(4, int), 4, 2)


def test_thirds_of_the_interactions():
    # Of the 90, items that are more popular have 0 before item 0, 40 before item 1, 60 and more before the others.
    counts = np.array([40, 20, 10, 10, 5, 5, 0])
    targets = np.array([0, 0, 1, 2, 4, 6])
    groups = {name: np.flatnonzero(inside).tolist() for name, inside in by_popularity(targets, counts).items()}
    assert groups == {"popular": [0, 1], "middle": [2], "rare": [3, 4, 5]}
    assert list(by_popularity(np.array([3]), counts)) == ["rare"]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.data())
def test_every_user_is_in_one_group_and_the_popular_are_more_popular(counts, data):
    counts = np.array(counts)
    targets = np.array(data.draw(st.lists(st.integers(0, len(counts) - 1), min_size=1, max_size=20)))
    groups = by_popularity(targets, counts)
    np.testing.assert_array_equal(np.sum(list(groups.values()), axis=0), 1)
    of_groups = [counts[targets[inside]] for inside in groups.values()]
    assert all(one.min() > other.max() for one, other in zip(of_groups, of_groups[1:]))


def test_groups_by_length_hold_each_user_once():
    lengths = np.concatenate([np.full(4, 3), np.full(20, 8), np.full(30, 15), np.full(3, 200)])
    groups = by_length(lengths)
    assert list(groups) == ["≤ 10", "11–20", "> 20"]
    np.testing.assert_array_equal(np.sum(list(groups.values()), axis=0), 1)
