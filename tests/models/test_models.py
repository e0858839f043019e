import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from katrec.data import collaborative_graph
from katrec.data.sequences import padded
from katrec.experiments.variants import ABLATIONS
from katrec.models import precision
from katrec.models.build import build
from katrec.settings import NEXT_ITEM
from tests import reference
from tests.losses import loss_of


@pytest.fixture
def batch(tiny_dataset):
    """Sequences and users of the whole tiny data set."""
    lengths = np.minimum(np.diff(tiny_dataset.offsets), 8)
    sequences = padded(tiny_dataset.items, tiny_dataset.offsets[1:] - lengths, lengths, tiny_dataset.num_items)
    return tf.constant(sequences), tf.range(tiny_dataset.num_users)


@pytest.mark.parametrize("user_modeling", [False, True])
def test_node_representations_are_the_papers(tiny_dataset, make_settings, generator, user_modeling):
    model = build(make_settings(model="katrec", user_modeling=user_modeling), tiny_dataset)
    for weight in model.trainable_variables:
        weight.assign(generator.normal(size=weight.shape) / 2)
    model.refresh_attention()
    graph = model.graph
    edges = np.stack([graph.heads, graph.relations, graph.tails], axis=1)
    layer = model.encoder.transr
    nodes = model.encoder.nodes.numpy()
    attention = reference.attention(edges, nodes, layer.projection.numpy().transpose(0, 2, 1), layer.relation.numpy())
    parts = [nodes]
    for aggregator in model.encoder.aggregators:
        ego = reference.ego_embeddings(edges, attention, nodes)
        nodes = reference.aggregate(nodes, ego, *aggregator.get_weights())
        parts.append(nodes / np.linalg.norm(nodes, axis=1, keepdims=True))
    expected = np.concatenate(parts, axis=1)[: graph.num_nodes if user_modeling else model.num_items]
    np.testing.assert_allclose(model.encoder(None), expected, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["katrec", "bert4rec"])
def test_the_first_loss_is_that_of_a_guess(tiny_dataset, make_settings, batch, name):
    model = build(make_settings(model=name), tiny_dataset)
    loss = float(loss_of(model, *batch))
    assert loss == pytest.approx(math.log(tiny_dataset.num_items), rel=0.05)


def test_sequence_loss_is_the_mean_of_each_sequences_mean(tiny_dataset, make_settings, batch, generator):
    config = make_settings(model="bert4rec", hidden_dropout=0, attention_dropout=0, mask_share=0.5)
    model = build(config, tiny_dataset)
    for weight in model.trainable_variables:
        weight.assign(generator.normal(size=weight.shape) / 2)
    masked = []
    original = model.hidden_states

    def hidden_states(sequences, *args, **kwargs):
        masked.append(sequences.numpy() == model.tokens.mask)
        return original(sequences, *args, **kwargs)

    model.hidden_states = hidden_states
    loss = float(loss_of(model, *batch))
    tables = model.item_tables()
    hidden = original(tf.where(masked[0], model.tokens.mask, batch[0]), tables)
    logits = model.head.logits(model.head(tf.reshape(hidden, [-1, 16])), tables.outputs).numpy()
    probabilities = reference.softmax(logits).reshape(*batch[0].shape, -1)
    means = [
        np.mean([-np.log(probabilities[row, t, batch[0][row, t]]) for t in np.flatnonzero(masked[0][row])])
        for row in range(len(masked[0]))
    ]
    assert loss == pytest.approx(np.mean(means), rel=1e-4)


@pytest.mark.parametrize("window_negatives", [True, False])
def test_next_item_loss_is_the_mean_over_all_positions(tiny_dataset, make_settings, batch, generator, window_negatives):
    # A position within a window is not the last one, and a window's own transitions count at prediction alone.
    same = {"positional_embedding": "none", "transition_reach": 0}
    values = {
        "hidden_dropout": 0,
        "attention_dropout": 0,
        "message_dropout": 0,
        "item_table_dropout": 0,
        "entity_loss": 0,
        "window_negatives": window_negatives,
        **same,
    }
    model = build(make_settings(model=NEXT_ITEM, **values), tiny_dataset)
    for weight in model.trainable_variables:
        weight.assign(generator.normal(size=weight.shape) / 2)
    sequences, users = batch
    losses = []
    for row in sequences.numpy():
        items = row[row != tiny_dataset.num_items]
        for t in range(1, len(items)):
            # Read as at prediction: what comes later is not there.
            logits = model((tf.constant([np.pad(items[:t], (7 - t, 0), constant_values=24)]), users[:1])).numpy()[0]
            if not window_negatives:
                logits[np.setdiff1d(items, items[t])] = -np.inf
            losses.append(-np.log(reference.softmax(logits)[items[t]]))
    assert float(loss_of(model, *batch)) == pytest.approx(np.mean(losses), rel=1e-3)


def test_devices_shares_of_the_next_item_loss_add_up(tiny_dataset, make_settings, batch):
    values = {"hidden_dropout": 0, "attention_dropout": 0, "message_dropout": 0}
    model = build(make_settings(model=NEXT_ITEM, **values), tiny_dataset)
    shares = [float(loss_of(model, *batch, device=device, num_devices=3)) for device in range(3)]
    assert sum(shares) == pytest.approx(float(loss_of(model, *batch)), rel=1e-5)


def test_the_summed_table_is_read_and_scored(tiny_dataset, make_settings, generator):
    model = build(make_settings(model=NEXT_ITEM), tiny_dataset)
    for weight in model.trainable_variables:
        weight.assign(generator.normal(size=weight.shape) / 2)
    joined = dict(zip(range(24), [set() for _ in range(24)]))
    for head, _, tail in tiny_dataset.triplets:
        for item, other in ((head, tail), (tail, head)):
            if item < 24 <= other:
                joined[item].add(other - 24)
    vectors = model.own_table.vectors.numpy()
    shared = [np.mean(vectors[list(joined[item])], axis=0) if joined[item] else np.zeros(16) for item in range(24)]
    assert np.any(shared)
    expected = model.own_table.rows.numpy() + shared + model.encoder(None).numpy()[:24] @ model.graph_projection.numpy()
    tables = model.item_tables()
    np.testing.assert_allclose(tables.outputs, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(tables.inputs[:24], tables.outputs)


def variant(dataset, make_settings, ablation=None, **values):
    settings = make_settings(**{"model": ABLATIONS[ablation].model if ablation else "katrec", **values})
    changes = ABLATIONS[ablation].changes(settings) if ablation else {}
    return build(dataclasses.replace(settings, **changes), dataset)


VARIANTS = {
    "katrec": {},
    "katrec_next_item": {"model": NEXT_ITEM},
    "recurrent": {"model": NEXT_ITEM, "recurrent_inputs": True, "window_negatives": False},
    **{name: {"ablation": name} for name in ABLATIONS},
    "other open choices": {
        "fusion_activation": "leaky_relu",
        "l2_normalize": False,
        "head_layer_norm": False,
        "positional_embedding": "sinusoidal",
    },
}


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_trains_all_its_variables(tiny_dataset, make_settings, monkeypatch, batch, name, policy):
    monkeypatch.setattr(precision, "policy", lambda mixed: tf.keras.mixed_precision.Policy(policy))
    model = variant(tiny_dataset, make_settings, **VARIANTS[name])
    with tf.GradientTape() as tape:
        loss = loss_of(model, *batch)
    for variable, gradient in zip(model.sequence_variables, tape.gradient(loss, model.sequence_variables)):
        assert gradient is not None, variable.name
        assert np.abs(tf.convert_to_tensor(gradient).numpy()).max() > 0, variable.name
    graph = model.graph
    assert (graph is None) == (name == "next_item_no_graph")
    if graph:
        triplets = np.array([[graph.heads[0], graph.relations[0], graph.tails[0], 1]], np.int32)
        with tf.GradientTape() as tape:
            loss, _ = model.triplet_loss(tf.constant(triplets))
        assert None not in tape.gradient(loss, model.triplet_variables)
    trained = {variable.ref() for variable in [*model.sequence_variables, *model.triplet_variables]}
    assert trained == {variable.ref() for variable in model.trainable_variables}
    assert model(batch).shape == (40, 24)


def test_ablations_are_what_their_names_say(tiny_dataset, make_settings):
    tables = variant(tiny_dataset, make_settings, ablation="concat").item_tables()
    np.testing.assert_array_equal(tables.inputs[:24], tables.outputs)
    level1 = variant(tiny_dataset, make_settings, ablation="level1")
    assert len(level1.encoder.aggregators) == 1
    assert level1.item_tables().outputs.shape == (24, 12)
    connection = variant(tiny_dataset, make_settings, ablation="connection")
    np.testing.assert_array_equal(connection.item_tables().inputs[:24], connection.own_table.rows)
    uniform = variant(tiny_dataset, make_settings, ablation="no_attention")
    heads = uniform.encoder.networks.heads.numpy()
    np.testing.assert_allclose(uniform.attention_weights, 1 / np.bincount(heads)[heads], rtol=1e-6)


def test_attention_reaches_the_propagation(tiny_dataset, make_settings, generator):
    """Fault of an earlier implementation: the weights were computed and not used."""
    model = variant(tiny_dataset, make_settings)
    before = model.encoder(None).numpy()
    transr = model.encoder.transr
    transr.relation.assign(generator.normal(size=transr.relation.shape))
    transr.projection.assign(generator.normal(size=transr.projection.shape) * 10)
    np.testing.assert_array_equal(model.encoder(None), before)
    model.refresh_attention()
    assert np.abs(model.encoder(None).numpy() - before).max() > 1e-3


def test_user_modelling_tells_users_apart(tiny_dataset, make_settings):
    history = tf.constant([[1, 2], [1, 2]])
    same = variant(tiny_dataset, make_settings)((history, tf.constant([0, 1])))
    np.testing.assert_array_equal(same[0], same[1])
    own = variant(tiny_dataset, make_settings, user_modeling=True)((history, tf.constant([0, 1])))
    assert (own[0].numpy() != own[1].numpy()).any()


def test_triplet_loss_has_the_regulariser(tiny_dataset, make_settings):
    model = variant(tiny_dataset, make_settings, kg_l2=0.5)
    graph = collaborative_graph.build(tiny_dataset)
    triplets = np.stack([graph.heads[:5], graph.relations[:5], graph.tails[:5], graph.tails[5:10]], axis=1)
    loss, ranking = model.triplet_loss(tf.constant(triplets))
    nodes, relation = model.encoder.nodes.numpy(), model.encoder.transr.relation.numpy()
    size = sum(
        (nodes[h] ** 2).sum() + (relation[r] ** 2).sum() + (nodes[t] ** 2).sum() + (nodes[b] ** 2).sum()
        for h, r, t, b in triplets
    )
    assert float(loss - ranking) == pytest.approx(0.5 * size / 5, rel=1e-4)


def test_only_the_last_items_are_read(tiny_dataset, make_settings):
    model = build(make_settings(model="bert4rec"), tiny_dataset)
    history = tf.constant([list(range(12))])
    users = tf.constant([0])
    np.testing.assert_allclose(model((history, users)), model((history[:, -7:], users)), rtol=1e-5, atol=1e-6)
    assert (model((history, users)).numpy() != model((history[:, -6:], users)).numpy()).any()
