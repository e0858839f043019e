import numpy as np
import tensorflow as tf

from katrec.layers import multi_label
from katrec.layers.multi_label import weighted_multi_label_cross_entropy
from tests.gradients import assert_gradient, assert_repeats


def drawn(generator, rows=7, labels=5, dim=3):
    vectors, table = (generator.normal(size=(count, dim)).astype(np.float32) for count in (rows, labels))
    return vectors, table, generator.random((rows, labels)) < 0.4, generator.random(rows).astype(np.float32)


def test_it_is_the_formula(generator, monkeypatch):
    vectors, table, has, weights = drawn(generator)
    expected = 0.0
    for vector, labels, weight in zip(vectors, has, weights):
        for entity, label in zip(table, labels):
            probability = 1 / (1 + np.exp(-vector @ entity))
            expected -= weight * np.log(probability if label else 1 - probability)
    # One block, blocks that do not fill up, blocks of one row.
    for rows in (512, 3, 1):
        monkeypatch.setattr(multi_label, "BLOCK_ROWS", rows)
        loss = weighted_multi_label_cross_entropy(vectors, table, (has @ table).astype(np.float32), weights)
        np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_the_gradient_reaches_vectors_table_and_sums(generator, monkeypatch):
    monkeypatch.setattr(multi_label, "BLOCK_ROWS", 3)
    vectors, table, has, weights = drawn(generator)

    def loss(vectors, table):
        return weighted_multi_label_cross_entropy(vectors, table, tf.cast(has, tf.float32) @ table, weights)

    assert_gradient(loss, vectors, table)
    assert_repeats(loss, vectors, table)


def test_nothing_is_zero(generator):
    vectors, table, _, weights = drawn(generator)
    no_rows = weighted_multi_label_cross_entropy(vectors[:0], table, vectors[:0], weights[:0])
    no_labels = weighted_multi_label_cross_entropy(vectors, table[:0], np.zeros_like(vectors), weights)
    assert float(no_rows) == float(no_labels) == 0
