"""The SavedModel's signatures: equal to the model in training, and never a wrong answer to a wrong request."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from katrec.evaluation.ranking import Evaluator
from katrec.layers.tracing import traced
from katrec.serving import served
from katrec.serving.saved_model import largest_difference
from tests.conftest import slow_but
from tests.serving.conftest import VARIANTS

ids = st.sampled_from([f"i{number}" for number in range(24)] + ["", "unknown", "i99"])
histories = st.lists(st.lists(ids, max_size=12), min_size=1, max_size=4)


def padded(histories):
    width = max(1, *map(len, histories))
    return tf.constant([list(history) + [""] * (width - len(history)) for history in histories])


def users_of(signature, count):
    """The input `user` of a model that takes users: none is known."""
    takes = "user" in signature.structured_input_signature[1]
    return {"user": tf.constant([""] * count)} if takes else {}


@pytest.mark.parametrize("variant", slow_but(VARIANTS, *(set(VARIANTS) - {"next item", "gru4rec++"})))
def test_every_test_user_gets_the_models_scores_and_ranks(
    exported, load_once, make_settings, tiny_dataset, datasets_dir, variant
):
    model, path = exported(variant, make_settings)
    signatures = load_once(path)[0].signatures
    items, users = (np.array(tiny_dataset.raw_ids(what)) for what in ("item", "user"))
    offsets, numbers = tiny_dataset.histories("test")
    inputs = {"history": padded([items[numbers[start:end]] for start, end in zip(offsets, offsets[1:])])}
    if "user" in signatures["rank"].structured_input_signature[1]:
        inputs["user"] = tf.constant(users)
    ranks = signatures["rank"](item=tf.constant(items[tiny_dataset.test]), **inputs)["rank"].numpy()
    np.testing.assert_array_equal(ranks, Evaluator(model, tiny_dataset, "test", 5).ranks()["full"])
    candidates = tf.constant(np.tile(items, (40, 1)))
    scores = signatures["recommend_from"](candidates=candidates, **inputs)["scores"].numpy()
    score = traced(model.call, reduce_retracing=True)
    for user in range(0, 40, 7):
        history = numbers[offsets[user] : offsets[user + 1]][-model.history_length or None :][None]
        expected = score((tf.constant(history), tf.constant([user]))).numpy()[0]
        np.testing.assert_allclose(scores[user], expected, rtol=1e-4, atol=1e-4)
    vectors, table = signatures["encode"](**inputs)["vectors"], signatures["item_table"]()
    np.testing.assert_array_equal(table["items"].numpy().astype(str), items)
    products = (vectors @ tf.transpose(table["vectors"])).numpy()
    if variant.startswith("next item"):
        # What the graph's item–item triplets add is not in the vectors.
        assert (np.abs(products - scores) > 1e-3).any() and (np.abs(products - scores) < 1e-3).any()
    else:
        np.testing.assert_allclose(products, scores, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("variant", ["explicit users", "gru4rec"])
def test_the_comparison_sees_a_changed_bias(exported, make_settings, tiny_dataset, datasets_dir, variant):
    model, path = exported(variant, make_settings)
    ids = tiny_dataset.raw_ids("item"), tiny_dataset.raw_ids("user")
    signatures = tf.saved_model.load(str(path)).signatures
    assert largest_difference(signatures, model, tiny_dataset, *ids) == (pytest.approx(0, abs=1e-4), 40)
    before = model.item_bias.numpy()
    model.item_bias.assign(before + 0.01 * (np.arange(24) == 7))
    try:
        assert largest_difference(signatures, model, tiny_dataset, *ids)[0] == pytest.approx(0.01, rel=0.05)
    finally:
        model.item_bias.assign(before)


@pytest.mark.parametrize("count", [1, 7, 40])
def test_blocks_of_any_size_change_nothing(exported, make_settings, tiny_dataset, datasets_dir, monkeypatch, count):
    """Few positions at a time, so that a batch becomes many blocks; the batch's order does not matter."""
    model, path = exported("katrec", make_settings)
    ids = tiny_dataset.raw_ids("item"), tiny_dataset.raw_ids("user")
    generator = np.random.default_rng(count)
    histories = [generator.choice(ids[0], generator.integers(0, 12)).tolist() for _ in range(count)]
    monkeypatch.setattr(served, "POSITIONS", 20)
    monkeypatch.setattr(served, "SCORED", 3)
    small = served.Served(model, *ids, np.bincount(tiny_dataset.items, minlength=24), 20, {}).signatures()
    expected = tf.saved_model.load(str(path)).signatures
    for signature, key in (("encode", "vectors"), ("serving_default", "scores")):
        given, wanted = (one[signature](history=padded(histories))[key].numpy() for one in (small, expected))
        np.testing.assert_allclose(given, wanted, rtol=1e-4, atol=1e-4)
    order = generator.permutation(count)
    mixed = small["serving_default"](history=padded([histories[row] for row in order]))["scores"].numpy()
    np.testing.assert_allclose(mixed, given[order], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("variant", ["katrec", "explicit users", "bprmf", "gru4rec"])
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories=histories, k=st.integers(1, 20))
def test_recommendations_are_new_distinct_and_sorted(exported, load_once, make_settings, variant, histories, k):
    signature = load_once(exported(variant, make_settings)[1])[0].signatures["recommend"]
    given = signature(history=padded(histories), k=tf.constant(k), **users_of(signature, len(histories)))
    turned = signature(history=padded(histories[::-1]), k=tf.constant(k), **users_of(signature, len(histories)))
    np.testing.assert_allclose(turned["scores"].numpy()[::-1], given["scores"], rtol=1e-3, atol=1e-4)
    known = {f"i{number}" for number in range(24)}
    for history, items, scores, unknown in zip(
        histories, given["items"].numpy().astype(str), given["scores"].numpy(), given["unknown"].numpy()
    ):
        recommended = [item for item in items if item]
        assert len(recommended) == min(k, 24 - len(known & set(history)))
        assert len(set(recommended)) == len(recommended)
        assert set(recommended) <= known - set(history)
        assert (np.diff(scores[: len(recommended)]) <= 0).all() and np.isneginf(scores[len(recommended) :]).all()
        assert unknown == sum(item != "" and item not in known for item in history)
        alone = signature(history=tf.constant([["", *history]]), k=tf.constant(k), **users_of(signature, 1))
        np.testing.assert_allclose(alone["scores"].numpy()[0], scores, rtol=1e-3, atol=1e-4)


def test_an_empty_history_gets_what_is_popular(exported, load_once, make_settings, tiny_dataset):
    signature = load_once(exported("katrec", make_settings)[1])[0].signatures["serving_default"]
    scores = signature(history=tf.constant([["", "unknown"]]))["scores"].numpy()[0]
    np.testing.assert_array_equal(scores, np.sort(np.bincount(tiny_dataset.items, minlength=24))[::-1][:10])


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"history": tf.constant([["i1"]]), "k": tf.constant(0)}, "k must be from 1 to 20"),
        ({"history": tf.constant([["i1"]]), "k": tf.constant(21)}, "k must be from 1 to 20"),
        ({"history": tf.constant([["i1"]]), "k": tf.constant(3.0)}, "expected to be a int32 tensor but is a float"),
        ({"history": tf.constant(["i1"]), "k": tf.constant(3)}, "is not compatible with expected shape"),
        ({"history": tf.constant([[1, 2]]), "k": tf.constant(3)}, "expected to be a string tensor but is a int32"),
        ({"history": tf.constant([["i1"]])}, "k"),
    ],
)
def test_malformed_requests_are_refused(exported, load_once, make_settings, inputs, message):
    signature = load_once(exported("katrec", make_settings)[1])[0].signatures["recommend"]
    with pytest.raises((tf.errors.InvalidArgumentError, TypeError, ValueError), match=message):
        signature(**inputs)


@pytest.mark.parametrize(
    "name, inputs, message",
    [
        ("serving_default", {"user": tf.constant(["u1", "u2"])}, "each history needs one user"),
        ("serving_default", {"user": tf.zeros([0], tf.string)}, "each history needs one user"),
        ("rank", {"user": tf.constant(["u1"]), "item": tf.constant(["i1", "i2"])}, "."),
        ("recommend_from", {"user": tf.constant(["u1"]), "candidates": tf.constant([["i1"], ["i2"]])}, "."),
    ],
)
def test_inputs_of_unequal_batches_are_refused(exported, load_once, make_settings, name, inputs, message):
    signature = load_once(exported("explicit users", make_settings)[1])[0].signatures[name]
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match=message):
        signature(history=tf.constant([["i1"]]), **inputs)


def test_odd_requests_follow_the_rules(exported, load_once, make_settings):
    signatures = load_once(exported("katrec", make_settings)[1])[0].signatures
    long = [f"i{number % 20}" for number in range(100_000)]
    given = signatures["serving_default"](history=tf.constant([long]))
    assert set(given["items"].numpy()[0].astype(str)) - {""} == {f"i{number}" for number in range(20, 24)}
    short = signatures["serving_default"](history=tf.constant([[f"i{number}" for number in range(20)]]))
    np.testing.assert_allclose(given["scores"], short["scores"], rtol=1e-4)
    given = signatures["serving_default"](history=tf.constant([[b"\xff\xfe", b"i1"]]))
    assert given["unknown"].numpy() == [1]
    assert signatures["serving_default"](history=tf.zeros([0, 3], tf.string))["items"].shape == (0, 10)
    assert signatures["rank"](history=tf.constant([["i1"]]), item=tf.constant(["unknown"]))["rank"].numpy() == [0]
    history, candidates = tf.constant([["i1"]]), tf.constant([["i1", "no"]])
    scores = signatures["recommend_from"](history=history, candidates=candidates)["scores"]
    assert np.isfinite(scores[0, 0]) and np.isneginf(scores[0, 1])


ALONE = """
import sys
import tensorflow as tf
signatures = tf.saved_model.load(sys.argv[1]).signatures
inputs = {"user": tf.constant([""])} if "user" in signatures["serving_default"].structured_input_signature[1] else {}
print(signatures["serving_default"](history=tf.constant([["i1", "i2"]]), **inputs)["items"].numpy()[0, 0].decode())
assert not [name for name in sys.modules if name.startswith("katrec")]
"""


@pytest.mark.parametrize("variant", ["katrec", "gru4rec"])
def test_tensorflow_alone_is_enough(exported, load_once, make_settings, tmp_path, variant):
    path = exported(variant, make_settings)[1]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(path)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == load_once(path)[1].recommend([["i1", "i2"]], 1)[0][0][0]
    assert not list(path.rglob("*.pkl")) and (path / "assets.extra" / "metadata.json").exists()
