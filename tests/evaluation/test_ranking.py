import numpy as np
import pytest
import tensorflow as tf

from katrec.common.command_line import UserError
from katrec.data.sequences import tokens_of
from katrec.evaluation.metrics import metrics
from katrec.evaluation.ranking import Evaluator, full_ranks, sampled_ranks
from katrec.layers.added_scores import SparseScores
from katrec.models import precision
from katrec.models.base import ItemTables
from katrec.models.build import build
from tests import reference


class FixedScores:
    """A model whose score of item i for user u is the given scores[u, i], whatever the history."""

    def __init__(self, scores, history_length=7):
        self._scores = tf.constant(scores, tf.float32)
        self.tokens = tokens_of(scores.shape[1])
        self.history_length = history_length
        self.is_cold = np.zeros(scores.shape[1], bool)
        self.read = []

    def inference_tables(self):
        return ItemTables(tf.zeros([0]), tf.eye(self.tokens.padding), bias=tf.zeros([self.tokens.padding]))

    def next_item_vectors(self, histories, users, tables):
        tf.py_function(lambda u, h: self.read.append((u.numpy(), h.numpy())), [users, histories], [])
        return tf.gather(self._scores, users)

    def neighbour_scores(self, vectors, histories, tables):
        return None  # noqa: RET501 (AutoGraph cannot read an empty body)


class TripledScores(FixedScores):
    """The same, and two items' scores are tripled by what is added, item 3's in two parts."""

    def neighbour_scores(self, vectors, histories, tables):
        rows = tf.repeat(tf.range(tf.shape(vectors)[0]), 3)
        items = tf.tile([3, 5, 3], tf.shape(vectors)[:1])
        factors = tf.tile([1.5, 2.0, 0.5], tf.shape(vectors)[:1])
        places = tf.stack([rows, items], axis=1)
        return SparseScores(places, factors * tf.gather_nd(vectors, places))


def test_added_scores_count_in_both_rankings(tiny_dataset, generator):
    scores = generator.normal(size=(40, 24)).astype(np.float32)
    tripled = scores * np.where(np.isin(np.arange(24), [3, 5]), 3, 1).astype(np.float32)
    given = Evaluator(TripledScores(scores), tiny_dataset, "test", 10).ranks()
    expected = Evaluator(FixedScores(tripled), tiny_dataset, "test", 10).ranks()
    without = Evaluator(FixedScores(scores), tiny_dataset, "test", 10).ranks()
    for protocol in ("sampled", "full"):
        np.testing.assert_array_equal(given[protocol], expected[protocol])
        assert (given[protocol] != without[protocol]).any()


def seen(dataset, user, split):
    items = dataset.items[dataset.offsets[user] : dataset.offsets[user + 1]].tolist()
    return items + ([dataset.valid[user]] if split == "test" else [])


@pytest.mark.parametrize("split", ["valid", "test"])
def test_full_ranking_against_plain_loops(tiny_dataset, split, generator):
    # Few distinct scores, so that there are ties.
    scores = generator.integers(0, 6, size=(tiny_dataset.num_users, tiny_dataset.num_items)).astype(float)
    expected = []
    for user in range(tiny_dataset.num_users):
        target = getattr(tiny_dataset, split)[user]
        others = [
            scores[user, item]
            for item in range(tiny_dataset.num_items)
            if item != target and item not in seen(tiny_dataset, user, split)
        ]
        expected.append((scores[user, target], others))
    values = Evaluator(FixedScores(scores), tiny_dataset, split, 5).evaluate()
    assert values["full"] == pytest.approx(reference.metrics(expected))


def test_lists_are_the_best_of_what_the_history_has_not(tiny_dataset, generator):
    scores = generator.permutation(40 * 24).reshape(40, 24).astype(float)
    evaluator = Evaluator(FixedScores(scores), tiny_dataset, "test", 5)
    ranks, lists = evaluator.ranks_and_lists(20)
    np.testing.assert_array_equal(ranks["full"], evaluator.ranks()["full"])
    for user, items, rank in zip(evaluator.users, lists, ranks["full"]):
        # The target is ranked though the history had it before.
        left = set(range(24)) - (set(seen(tiny_dataset, user, "test")) - {tiny_dataset.test[user]})
        best = sorted(left, key=lambda item: -scores[user, item])[:20]
        assert items.tolist() == best + [-1] * (20 - len(best))
        assert rank > 20 or items[rank - 1] == tiny_dataset.test[user]
    assert (lists[:, -1] < 0).all() and (lists[:, 0] >= 0).all()


def test_sampled_ranking_leaves_the_whole_history_out(tiny_dataset):
    users, items = tiny_dataset.interactions()
    scores = np.zeros((tiny_dataset.num_users, tiny_dataset.num_items))
    scores[users, items] = 2
    scores[np.arange(tiny_dataset.num_users), tiny_dataset.test] = 1
    ranks = Evaluator(FixedScores(scores), tiny_dataset, "test", 100).ranks()
    assert (ranks["sampled"] == 1).all()
    # All items outside the history rank behind; the history itself is never a candidate.
    assert (ranks["full"] == 1).all()


def test_a_constant_score_gets_the_last_rank(tiny_dataset):
    ranks = Evaluator(FixedScores(np.ones((40, 24))), tiny_dataset, "test", 5).ranks()
    assert (ranks["sampled"] == 6).all()
    lengths = np.array([len(set(seen(tiny_dataset, user, "test"))) for user in range(40)])
    np.testing.assert_array_equal(ranks["full"], 24 - lengths)


def test_the_model_reads_the_last_items_of_the_right_history(tiny_dataset):
    model = FixedScores(np.zeros((40, 24)), history_length=4)
    Evaluator(model, tiny_dataset, "test", 5).ranks(full=False)
    read = {
        user: [item for item in history if item != 24]
        for users, histories in model.read
        for user, history in zip(users, histories)
    }
    assert read == {user: seen(tiny_dataset, user, "test")[-4:] for user in range(40)}


def test_negatives_do_not_depend_on_the_model_or_the_call(tiny_dataset, generator):
    scores = generator.random((40, 24))
    first, second = (Evaluator(FixedScores(scores), tiny_dataset, "valid", 5).ranks() for _ in range(2))
    np.testing.assert_array_equal(first["sampled"], second["sampled"])
    assert metrics(first["sampled"])["Hit@10"] == 1


@pytest.mark.parametrize("mixed", [False, True])
def test_ranking_is_not_traced_again_and_again(tiny_dataset, make_settings, monkeypatch, mixed):
    monkeypatch.setattr(precision, "_cpu", lambda: ({precision.AMX}, ""))
    model = build(make_settings(model="katrec", mixed_precision=mixed), tiny_dataset)
    evaluator = Evaluator(model, tiny_dataset, "test", 5)
    counts = []
    for _ in range(2):
        evaluator.ranks()
        counts.append([function.experimental_get_tracing_count() for function in (sampled_ranks, full_ranks)])
    assert counts[0] == counts[1]


def test_the_test_item_may_be_a_negative_of_the_validation(tiny_dataset):
    """It is not known yet when the validation item is predicted."""
    scores = np.zeros((40, 24))
    scores[np.arange(40), tiny_dataset.test] = 2
    scores[np.arange(40), tiny_dataset.valid] = 1
    # All items outside the history are candidates, so the test item is one of them, unless the history has it.
    expected = [
        1 + (test not in seen(tiny_dataset, user, "valid") and test != tiny_dataset.valid[user])
        for user, test in enumerate(tiny_dataset.test)
    ]
    ranks = Evaluator(FixedScores(scores), tiny_dataset, "valid", 100).ranks()
    np.testing.assert_array_equal(ranks["sampled"], expected)
    np.testing.assert_array_equal(ranks["full"], expected)
    assert max(expected) == 2


def with_histories(dataset, histories):
    """The data set with other training items and held-out items, by user."""
    training = [history[:-2] for history in histories]
    held_out = [np.array([history[place] for history in histories], np.int32) for place in (-2, -1)]
    return dataset._replace(
        offsets=np.cumsum([0, *map(len, training)]),
        items=np.concatenate(training).astype(np.int32),
        valid=held_out[0],
        test=held_out[1],
        num_items=5,
    )


def test_users_with_nothing_to_rank_against_are_left_out_and_counted(tiny_dataset):
    # The first has all items, the second lacks one, the third lacks two.
    dataset = with_histories(tiny_dataset, [[0, 1, 2, 3, 4], [0, 1, 0, 2, 3], [0, 0, 0, 1, 2]])
    evaluator = Evaluator(FixedScores(np.zeros((3, 5))), dataset, "test", 2)
    assert (evaluator.users.tolist(), evaluator.left_out, evaluator.short, evaluator.fewest) == ([1, 2], 1, 1, 1)
    ranks = evaluator.ranks()
    assert ranks["sampled"].tolist() == ranks["full"].tolist() == [2, 3]
    # Before the test item is known, the first user lacks it.
    assert Evaluator(FixedScores(np.zeros((3, 5))), dataset, "valid", 2).users.tolist() == [0, 1, 2]


def test_no_user_to_rank_is_an_error(tiny_dataset):
    dataset = with_histories(tiny_dataset, [[0, 1, 2, 3, 4, 0, 1]] * 3)
    with pytest.raises(UserError, match="no user's valid item can be ranked: every history has all items"):
        Evaluator(FixedScores(np.zeros((3, 5))), dataset, "valid", 2)
    nobody = dataset._replace(valid=np.full(3, -1, np.int32), test=np.full(3, -1, np.int32))
    with pytest.raises(UserError, match="no user has three interactions"):
        Evaluator(FixedScores(np.zeros((3, 5))), nobody, "test", 2)
