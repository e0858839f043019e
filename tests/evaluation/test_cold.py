"""How cold items are ranked: by models, and by the simple baselines, against plain loops."""

import numpy as np
import pytest

from katrec.common.command_line import UserError
from katrec.data.cold_items import hold_out
from katrec.evaluation import cold_baselines
from katrec.evaluation.ranking import Evaluator
from katrec.evaluation.summary import AMONG_COLD, Summary
from tests.evaluation.test_ranking import FixedScores


def test_ranks_among_the_cold_items_against_plain_loops(tiny_dataset, generator):
    dataset = hold_out(tiny_dataset, 0.4, 3)
    scores = generator.integers(0, 9, size=(40, 24)).astype(float)
    model = FixedScores(scores)
    model.is_cold = dataset.is_cold
    evaluator = Evaluator(model, dataset, "test", 5)
    cold = set(dataset.cold.tolist())
    expected = [
        sum(scores[user, item] >= scores[user, dataset.test[user]] for item in cold)
        if dataset.test[user] in cold
        else 0
        for user in evaluator.users
    ]
    assert evaluator.cold_ranks().tolist() == expected and 0 < np.count_nonzero(expected) < len(expected)
    summary = Summary(evaluator, dataset, (1, 5, 10))
    groups = summary.by_group()["target"]
    is_cold = np.array(expected) > 0
    assert (groups["cold"]["users"], groups["warm"]["users"]) == (is_cold.sum(), (~is_cold).sum())
    hits = np.mean(np.array(expected)[is_cold] <= 5)
    assert groups["cold"][AMONG_COLD]["Hit@5"] == pytest.approx(hits)
    full = evaluator.ranks()["full"]
    for name, inside in (("cold", is_cold), ("warm", ~is_cold)):
        assert groups[name]["full"]["MAP"] == pytest.approx(np.mean(1 / full[inside]))
    assert AMONG_COLD not in groups["warm"] and AMONG_COLD not in summary.all_users()


def test_popularity_of_neighbours_by_hand(tiny_dataset):
    counts = tiny_dataset.popularity()
    items, entities = tiny_dataset.num_items, range(tiny_dataset.num_items, tiny_dataset.num_entities)
    joined = {
        (int(one), int(other)) for head, _, tail in tiny_dataset.triplets for one, other in ((head, tail), (tail, head))
    }

    def score(neighbours, aggregate):
        return cold_baselines.neighbours_popularity(tiny_dataset, "test", neighbours, aggregate)(np.arange(3))

    apply = {
        "sum": sum,
        "max": lambda values: max(values, default=0),
        "mean": lambda values: np.mean(values) if values else 0,
    }
    for name, function in apply.items():
        beside = [function([counts[one] for one in range(items) if (item, one) in joined]) for item in range(items)]
        np.testing.assert_allclose(score("items", name), np.tile(beside, (3, 1)))
        of_entities = {e: function([counts[one] for one in range(items) if (e, one) in joined]) for e in entities}
        shared = [function([of_entities[e] for e in entities if (item, e) in joined]) for item in range(items)]
        np.testing.assert_allclose(score("entities", name)[0], shared)


@pytest.mark.parametrize("last", [0, 2])
def test_content_neighbours_by_hand(tiny_dataset, last):
    scores = cold_baselines.content_neighbours(tiny_dataset, "test", last, False, False)(np.array([5, 9]))
    joined = np.zeros((24, tiny_dataset.num_entities))
    for head, _, tail in tiny_dataset.triplets:
        for one, other in ((head, tail), (tail, head)):
            if one < 24 <= other:
                joined[one, other] = 1
    unit = joined / np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), 1e-9)
    offsets, items = tiny_dataset.histories("test")
    for row, user in zip(scores, (5, 9)):
        history = items[offsets[user] : offsets[user + 1]][-last:]
        np.testing.assert_allclose(row, (unit[history] @ unit.T).mean(axis=0), atol=1e-12)


def test_the_same_chance_whatever_the_batch(tiny_dataset):
    score = cold_baselines.by_chance(tiny_dataset, "test")
    together = score(np.array([3, 8]))
    np.testing.assert_array_equal(together[1:], score(np.array([8])))
    assert len(np.unique(together)) == 48


def test_choices_are_made_by_validation(tiny_dataset):
    """The test items say nothing of them: others give the same choices and other results."""
    mixed = tiny_dataset._replace(test=np.roll(tiny_dataset.test, 1))
    given, other = (cold_baselines.evaluate(dataset, 0.4, 3) for dataset in (tiny_dataset, mixed))
    assert [one.choice for one in given] == [one.choice for one in other]
    assert [one.full for one in given] != [one.full for one in other]
    assert [one.title for one in given] == ["random", "popularity of its neighbours", "content kNN"]
    for one in given:
        assert 0 <= one.full["NDCG@10"] <= one.among_cold["NDCG@10"] <= 1
    # Users like genres, items have them.
    assert given[2].among_cold["NDCG@5"] > given[0].among_cold["NDCG@5"]


def test_without_a_cold_test_item_there_is_nothing_to_say(tiny_dataset):
    with pytest.raises(UserError, match="no user's test item is one of the 2 cold items"):
        cold_baselines.evaluate(tiny_dataset._replace(test=np.full(40, -1, np.int32)), 0.1, 1)
