"""Cold items: out of every model's own loss, in its ranking by what the graph says of them."""

import numpy as np
import pytest
import tensorflow as tf

from katrec.data import item_edges, stand_ins
from katrec.data.cold_items import hold_out
from katrec.data.item_contents import item_vectors
from katrec.models import registry
from katrec.models.base import Batch, Context
from katrec.models.build import build
from katrec.training.batches import Batches

LOSSES = [
    *registry.MODELS,
    ("sasrec", {"sasrec_loss": "cross_entropy"}),
    ("sasrec", {"sasrec_loss": "gbce", "num_samples": 40}),
    ("gru4rec++", {"num_samples": 40, "sample_alpha": 0.0}),
    ("katrec", {"item_table": "own"}),
]


def made(name, dataset, make_settings):
    name, changes = (name, {}) if isinstance(name, str) else name
    settings = make_settings(model=name, **changes)
    model = build(settings, dataset)
    generator = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(generator.normal(size=variable.shape) / 2)
    model.refresh_attention()
    return model, settings


@pytest.mark.parametrize("name", LOSSES, ids=str)
def test_they_are_no_targets_and_no_negatives(tiny_dataset, make_settings, name):
    dataset = hold_out(tiny_dataset, 0.25, 2)
    model, settings = made(name, dataset, make_settings)
    batch = Batch(*next(Batches(dataset, model, settings).from_step(0)))
    context = Context(tf.constant([1, 2]), slice(None))
    with tf.GradientTape() as tape:
        loss = model.loss(batch, context)
    keyed = [variable for variable, _, what in model.keyed_variables() if what == "item"]
    assert np.isfinite(float(loss)) and keyed
    for variable, gradient in zip(keyed, tape.gradient(loss, keyed)):
        if gradient is None:
            continue
        values = tf.convert_to_tensor(gradient).numpy()
        assert np.isfinite(values).all(), variable.name
        assert not values[dataset.cold].any() and values[~dataset.is_cold].any(), variable.name
        variable.assign(np.where(np.reshape(dataset.is_cold, [-1] + [1] * (len(variable.shape) - 1)), 7.0, variable))
    assert float(model.loss(batch, context)) == float(loss)


@pytest.mark.parametrize("name", registry.MODELS)
def test_without_stand_ins_they_have_the_mean_bias(tiny_dataset, make_settings, name):
    held = hold_out(tiny_dataset, 0.25, 2)
    # No cold item shares anything with another one.
    dataset = held._replace(triplets=held.triplets[~held.is_cold[np.minimum(held.triplets[:, 0], 23)]])
    dataset = dataset._replace(triplets=dataset.triplets[~held.is_cold[np.minimum(dataset.triplets[:, 2], 23)]])
    model, _ = made(name, dataset, make_settings)
    tables = model.inference_tables()
    cold = dataset.is_cold
    np.testing.assert_allclose(tables.bias[cold], np.full(6, model.item_bias.numpy()[~cold].mean()), rtol=1e-6)
    np.testing.assert_array_equal(tables.bias[~cold], model.item_bias.numpy()[~cold])
    described = np.abs(tables.outputs.numpy()[cold]).sum(axis=1) > 0
    assert described.all() if model.describes_cold_items else not described.any()
    if model.describes_cold_items and model.own_table is not None:
        # Their own rows say nothing.
        model.own_table.rows.assign(tf.where(cold[:, None], 7.0, model.own_table.rows))
        np.testing.assert_array_equal(model.inference_tables().outputs, tables.outputs)


@pytest.mark.parametrize("name", ["katrec", "katrec_next_item"])
def test_the_items_most_like_them_stand_in(tiny_dataset, make_settings, name):
    dataset = hold_out(tiny_dataset, 0.25, 2)
    model, _ = made(name, dataset, make_settings)
    tables, trained = model.inference_tables(), model.item_tables()
    vectors, cold = item_vectors(dataset).toarray(), dataset.is_cold
    found = stand_ins.build(dataset)
    for item in range(24):
        cosines = np.where(cold, 0, vectors @ vectors[item])
        # Which of equal ones is free.
        best = found.others[found.items == item]
        shares = cosines[best] / cosines[best].sum() if len(best) else None
        wanted = np.sort(cosines)[-stand_ins.COUNT :] if cold[item] else []
        np.testing.assert_allclose(np.sort(cosines[best]), [one for one in wanted if one > 0])
        for given, rows, half in (
            (tables.outputs, trained.outputs.numpy(), True),
            (tables.inputs, trained.inputs.numpy(), False),
            (tables.bias[:, None], model.item_bias.numpy()[:, None], False),
        ):
            expected = rows[item] if shares is None else shares @ rows[best]
            if half and shares is not None:
                expected = (expected + rows[~cold].mean(axis=0)) / 2
            if not cold[item] or shares is not None:
                np.testing.assert_allclose(given[item], expected, rtol=1e-4, atol=1e-5)


def test_cold_items_have_their_stand_ins_transitions():
    # 0 → 1 twice; 2 is cold, 1 stands in for it with three quarters, 0 with a quarter. Relation 0 is the graph's.
    edges = item_edges.in_order([np.array(one) for one in ([0, 1, 0], [1, 2, 0], [1, 0, 2], [3.0, 3.0, 1.0])], 3)
    found = stand_ins.StandIns(np.array([2, 2]), np.array([1, 0]), np.array([0.75, 0.25]))
    joined = stand_ins.with_transitions(edges, found, np.array([False, True, True]))
    names = zip(item_edges.heads_of(joined).tolist(), joined.relations.tolist(), joined.tails.tolist())
    worth = dict(zip(names, np.log2(1 + joined.counts).round(5).tolist()))
    # log₂(1 + 3) is 2.
    assert worth == {
        (0, 0, 2): 1.0,
        (0, 1, 1): 2.0,
        (1, 2, 0): 2.0,
        (0, 1, 2): 1.5,
        (2, 2, 0): 1.5,
        (2, 1, 1): 0.5,
        (1, 2, 2): 0.5,
    }


def test_edges_to_cold_items_are_not_trained(tiny_dataset, make_settings):
    dataset = hold_out(tiny_dataset, 0.25, 2)
    model, _ = made(("katrec_next_item", {"similar_items": 3}), dataset, make_settings)
    trained, asked = model.neighbours.edges, model.inference_tables().edges
    assert not dataset.is_cold[trained.tails.numpy()].any() and dataset.is_cold[asked.tails.numpy()].any()
    # Each item's most similar ones, of both kinds.
    alike = item_edges.names(model.graph, dataset, range(99), 3, 3).index("alike")
    tails = asked.tails.numpy()[asked.relations.numpy() == alike]
    heads = np.repeat(np.arange(24), np.diff(asked.starts))[asked.relations.numpy() == alike]
    assert max(np.bincount(heads[dataset.is_cold[tails]])) == max(np.bincount(heads[~dataset.is_cold[tails]])) == 3
    vectors, counts = item_vectors(dataset).toarray(), asked.counts.numpy()[asked.relations.numpy() == alike]
    cosines = (vectors[heads] * vectors[tails]).sum(axis=1) * np.where(dataset.is_cold[tails], 1.5, 1)
    np.testing.assert_allclose(np.log2(1 + counts), cosines, rtol=1e-4)


def test_all_is_as_before_without_them(tiny_dataset, make_settings):
    model, _ = made("katrec", tiny_dataset, make_settings)
    assert model.training_bias() is model.item_bias and not model.is_cold.any()
    np.testing.assert_array_equal(model.inference_tables().bias, model.item_bias)
