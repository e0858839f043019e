import numpy as np
import pytest
import tensorflow as tf

from katrec.data.sequences import tokens_of
from katrec.evaluation.metrics import metrics
from katrec.evaluation.ranking import Evaluator, full_ranks, sampled_ranks
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
        self.item_bias = tf.zeros([scores.shape[1]])
        self.read = []

    def inference_tables(self):
        return ItemTables(tf.zeros([0]), tf.eye(self.tokens.padding))

    def next_item_vectors(self, histories, users, tables):
        tf.py_function(lambda u, h: self.read.append((u.numpy(), h.numpy())), [users, histories], [])
        return tf.gather(self._scores, users)


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
    monkeypatch.setattr(precision, "_cpu_flags", lambda: precision.BFLOAT16_CPU_FLAGS)
    model = build(make_settings(model="katrec", mixed_precision=mixed), tiny_dataset)
    evaluator = Evaluator(model, tiny_dataset, "test", 5)
    counts = []
    for _ in range(2):
        evaluator.ranks()
        counts.append([function.experimental_get_tracing_count() for function in (sampled_ranks, full_ranks)])
    assert counts[0] == counts[1]
