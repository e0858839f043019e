import numpy as np
import pytest
import tensorflow as tf

from katrec.data import item_attributes
from katrec.data.collaborative_graph import CollaborativeGraph
from katrec.layers import ItemTable
from tests import reference
from tests.gradients import assert_gradient

PAIRS = [(0, 1), (0, 2), (2, 1), (3, 0), (3, 1), (3, 2)]
SEED = tf.constant([3, 4])


def table_of(generator, dropout=0.0):
    table = ItemTable(5, 4, dropout, *np.array(PAIRS).T, 3)
    table.set_weights([generator.normal(size=weight.shape) for weight in table.get_weights()])
    return table


def by_loops(rows, vectors):
    shared = {item: [vectors[entity] for one, entity in PAIRS if one == item] for item in range(5)}
    return np.array([row + (np.mean(shared[item], axis=0) if shared[item] else 0) for item, row in enumerate(rows)])


def test_an_item_has_the_mean_of_its_entities(generator):
    table = table_of(generator, 0.5)
    np.testing.assert_allclose(table(None), by_loops(*table.get_weights()), rtol=1e-5, atol=1e-6)
    alone = ItemTable(5, 4)
    np.testing.assert_array_equal(alone(SEED), alone.rows)


def test_dropout_leaves_out_whole_rows_and_nothing_shared():
    table = ItemTable(2000, 3, 0.25, np.arange(2000), np.zeros(2000, int), 1)
    table.vectors.assign([[5.0, 6.0, 7.0]])
    own = table(SEED).numpy() - [5, 6, 7]
    left_out = (np.abs(own) < 1e-5).all(axis=1)
    assert abs(left_out.mean() - 0.25) < 0.04
    np.testing.assert_allclose(own[~left_out], table.rows.numpy()[~left_out] / 0.75, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(table(SEED), table(SEED))
    assert ((table(tf.constant([3, 5])).numpy() - [5, 6, 7])[left_out] != 0).any()


def test_gradient_numerically(generator):
    table = table_of(generator)

    def function(rows, vectors):
        table.rows, table.vectors = rows, vectors
        return table(None)

    assert_gradient(function, *table.get_weights())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_entity_loss_is_that_of_loops(generator, dtype):
    table = ItemTable(5, 4, 0.0, *np.array(PAIRS).T, 3, predicts_entities=True)
    table.set_weights([generator.normal(size=weight.shape) for weight in table.get_weights()])
    v, labels = generator.normal(size=(7, 4)).astype(np.float32), np.array([0, 1, 2, 3, 4, 0, 3], np.int32)
    weights = generator.random(7).astype(np.float32)
    expected = 0.0
    for n, item in enumerate(labels):
        entities = [entity for one, entity in PAIRS if one == item]
        logits = table.vectors.numpy() @ v[n] + table.bias.numpy()
        for entity in entities:
            expected -= weights[n] / len(entities) * np.log(reference.softmax(logits)[entity])
    loss = table.entity_loss(tf.cast(v, dtype), labels, weights)
    assert float(loss) == pytest.approx(expected, rel=1e-4 if dtype == "float32" else 0.02)
    assert float(table_of(generator).entity_loss(v, labels, weights)) == 0


def test_gradient_of_the_entity_loss_numerically(generator):
    table = ItemTable(5, 4, 0.0, *np.array(PAIRS).T, 3, predicts_entities=True)
    labels, weights = tf.constant([0, 1, 3, 2]), tf.constant([1.0, 0.5, 0.3, 2.0])

    def function(v, vectors, bias):
        table.vectors, table.bias = vectors, bias
        return table.entity_loss(v, labels, weights)[None]

    assert_gradient(function, *(generator.normal(size=shape) for shape in ((4, 4), (3, 4), 3)))


def test_pairs_outside_the_sizes_are_refused():
    for items, entities in (([5], [0]), ([0], [3])):
        with pytest.raises(ValueError, match="not of 5 items and 3 entities"):
            ItemTable(5, 4, 0.0, np.array(items), np.array(entities), 3)


def test_item_attributes_by_hand(tiny_dataset):
    dataset = tiny_dataset._replace(num_items=3, num_entities=6)
    # Items 0 to 2, entities 3 to 5, a user 6; entity 3 is joined to item 2 by two relations.
    heads, relations, tails = np.array([(0, 0, 1), (2, 0, 3), (2, 1, 3), (2, 0, 5), (1, 2, 6), (3, 0, 4)]).T
    found = item_attributes.build(CollaborativeGraph(heads, relations, tails, 7, 3), dataset)
    assert list(zip(found.items, found.entities)) == [(2, 0), (2, 2)]
    assert found.num_entities == 3
