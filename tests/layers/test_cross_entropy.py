import numpy as np
import pytest
import tensorflow as tf

from katrec.layers import cross_entropy
from katrec.layers.added_scores import EdgeScores
from katrec.layers.cross_entropy import Negatives, weighted_cross_entropy
from tests import reference
from tests.gradients import assert_gradient


def problem(generator, rows=11, items=23, q=4):
    arrays = [generator.normal(size=shape).astype(np.float32) for shape in ((rows, q), (items, q), (items,))]
    return arrays, generator.integers(items, size=rows).astype(np.int32), generator.random(rows).astype(np.float32)


def expected(arrays, labels, weights, counts=True):
    """The loss and its gradients in float64, of the logits that count."""
    vectors, items, bias = (array.astype(np.float64) for array in arrays)
    probabilities = reference.softmax(np.where(counts, vectors @ items.T + bias, -np.inf))
    loss = -np.sum(weights * np.log(probabilities[np.arange(len(labels)), labels]))
    errors = (probabilities - np.eye(len(items))[labels]) * weights[:, None]
    return loss, [errors @ items, errors.T @ vectors, errors.sum(axis=0)]


def computed(arrays, labels, weights, **options):
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        loss = 2 * weighted_cross_entropy(*tensors, labels, weights, **options)
    return float(loss) / 2, [gradient.numpy().astype(np.float64) / 2 for gradient in tape.gradient(loss, tensors)]


@pytest.mark.parametrize("block_rows", [1, 4, 11, 512])
def test_loss_and_gradients_are_those_of_the_softmax(generator, monkeypatch, block_rows):
    monkeypatch.setattr(cross_entropy, "BLOCK_ROWS", block_rows)
    arguments = problem(generator)
    loss, gradients = computed(*arguments)
    expected_loss, expected_gradients = expected(*arguments)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    for gradient, wanted in zip(gradients, expected_gradients):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block_rows", [1, 4, 512])
def test_added_scores_are_logits_like_the_others(generator, monkeypatch, block_rows):
    monkeypatch.setattr(cross_entropy, "BLOCK_ROWS", block_rows)
    arrays, labels, weights = problem(generator)
    # Sequences of rows 0–3, 4–8, none, 9–10. Row 3 has the label's place, rows 6 and 7 one place twice, row 10 none.
    rows = np.array([[0, 3], [1, 0], [6, 7], [9, 9]])
    readings = np.array([0, 0, 1, 2, 2, 3])
    tails = np.array([labels[3], 2, 5, 8, 8, 0])
    values = generator.normal(size=(len(readings), 2)).astype(np.float32)
    logits = arrays[0] @ arrays[1].T + arrays[2]
    places = rows[readings], tails[:, None]
    np.add.at(logits, places, values)
    probabilities = reference.softmax(logits.astype(np.float64))
    errors = (probabilities - np.eye(23)[labels]) * weights[:, None]
    tensors = [tf.constant(array) for array in (*arrays, values)]
    others = (tf.constant(one, tf.int32) for one in (rows, readings, tails, [0, 4, 9, 9, 11], [0, 3, 5, 5, 6]))
    rows, readings, tails, first_rows, first_edges = others
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        added = EdgeScores(rows, readings, tails, tensors[3], first_rows, first_edges)
        loss = weighted_cross_entropy(*tensors[:3], labels, weights, added)
    assert float(loss) == pytest.approx(-np.sum(weights * np.log(probabilities[np.arange(11), labels])), rel=1e-5)
    wanted = [errors @ arrays[1], errors.T @ arrays[0], errors.sum(axis=0), errors[places]]
    for gradient, expected in zip(tape.gradient(loss, tensors), wanted):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block_rows", [4, 512])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_items_that_are_no_negatives_do_not_count(generator, monkeypatch, block_rows, dtype):
    monkeypatch.setattr(cross_entropy, "BLOCK_ROWS", block_rows)
    arrays, labels, weights = problem(generator)
    arrays[:2] = [tf.cast(tf.cast(array, dtype), tf.float32).numpy() for array in arrays[:2]]
    sequences = np.array([0, 0, 0, 0, 0, 2, 2, 2, 2, 3, 3])
    allowed = generator.random((4, 23)) < 0.6
    # The last rows have no negatives at all, and one item is none of any row's.
    allowed[3] = False
    allowed[:, 7] = False
    labels[labels == 7] = 8
    counts = allowed[sequences]
    counts[np.arange(11), labels] = True
    typed = [tf.cast(array, dtype) for array in arrays[:2]]
    negatives = Negatives(tf.constant(allowed), tf.constant(sequences))
    loss, gradients = computed([*typed, arrays[2]], labels, weights, negatives=negatives)
    expected_loss, expected_gradients = expected(arrays, labels, weights, counts)
    tolerance = {"float32": 1e-5, "float16": 5e-3, "bfloat16": 3e-2}[dtype]
    assert loss == pytest.approx(expected_loss, rel=tolerance)
    for gradient, wanted in zip(gradients, expected_gradients):
        np.testing.assert_allclose(gradient, wanted, atol=20 * tolerance)
    assert not gradients[1][7].any() and gradients[2][7] == 0


def test_gradient_numerically(generator):
    arrays, labels, weights = problem(generator)
    assert_gradient(lambda *tensors: weighted_cross_entropy(*tensors, labels, weights)[None], *arrays)


def test_bfloat16_sums_over_many_items_in_float32(generator):
    arrays, labels, weights = problem(generator, rows=40, items=20000, q=16)
    arrays[:2] = [array / 2 for array in arrays[:2]]
    half = [tf.cast(array, tf.bfloat16) for array in arrays[:2]] + [tf.constant(arrays[2])]
    with tf.GradientTape() as tape:
        tape.watch(half)
        loss = weighted_cross_entropy(*half, labels, weights)
    gradients = tape.gradient(loss, half)
    assert [gradient.dtype for gradient in gradients] == [tf.bfloat16, tf.bfloat16, tf.float32]
    expected_loss, expected_gradients = expected(arrays, labels, weights)
    assert float(loss) == pytest.approx(expected_loss, rel=2e-3)
    for gradient, wanted in zip(gradients, expected_gradients):
        error = np.linalg.norm(tf.cast(gradient, tf.float64) - wanted)
        assert error < 0.01 * np.linalg.norm(wanted)


def test_an_impossible_item_has_a_finite_loss():
    vectors, items = tf.constant([[1.0]]), tf.constant([[0.0], [300.0]])
    loss = weighted_cross_entropy(vectors, items, tf.zeros([2]), tf.constant([0]), tf.ones([1]))
    assert 80 < float(loss) < 300
