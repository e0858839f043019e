import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from katrec.evaluation.metrics import metrics
from katrec.evaluation.ranking import rank_of_first
from tests import reference

scores = st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, -3.0])


def test_by_hand():
    values = metrics([1, 2, 6, 20])
    assert values == pytest.approx(
        {
            "Hit@1": 1 / 4,
            "Hit@5": 2 / 4,
            "Hit@10": 3 / 4,
            "NDCG@1": 1 / 4,
            "NDCG@5": (1 + 1 / math.log2(3)) / 4,
            "NDCG@10": (1 + 1 / math.log2(3) + 1 / math.log2(7)) / 4,
            "MAP": (1 + 1 / 2 + 1 / 6 + 1 / 20) / 4,
        }
    )


def test_ties_count_against_the_target_and_a_constant_score_ranks_last():
    assert rank_of_first(np.array([[1.0, 1.0, 0.5, 2.0]])).numpy().tolist() == [3]
    assert rank_of_first(np.zeros((2, 101))).numpy().tolist() == [101, 101]


def test_what_is_not_a_number_never_helps():
    assert rank_of_first(np.array([[np.nan, 1.0, 2.0], [1.0, np.nan, 0.0]])).numpy().tolist() == [3, 2]


@given(st.lists(st.tuples(scores, st.lists(scores, min_size=12, max_size=12)), min_size=1, max_size=20))
def test_against_plain_loops(users):
    ranks = rank_of_first(np.array([[target, *others] for target, others in users]))
    assert metrics(ranks) == pytest.approx(reference.metrics(users))


@pytest.mark.parametrize("ranks", [[], [1, 0]])
def test_impossible_ranks_are_refused(ranks):
    with pytest.raises(ValueError, match="at least one rank"):
        metrics(ranks)
