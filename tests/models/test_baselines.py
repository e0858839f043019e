"""SASRec, GRU4Rec, GRU4Rec++ and BPR-MF: losses against loops, what they read, what they train."""

import numpy as np
import pytest
import tensorflow as tf

from katrec.data.negatives import ItemSampler
from katrec.data.sequences import padded
from katrec.layers.seeds import fold
from katrec.models.build import build
from tests import reference
from tests.layers.test_ranking_losses import gbce, loop, sigmoid
from tests.losses import SEED, assert_all_is_trained_and_shared, loss_of

VARIANTS = {
    "sasrec": {"model": "sasrec"},
    "sasrec, softmax": {"model": "sasrec", "sasrec_loss": "cross_entropy"},
    "sasrec, gBCE": {"model": "sasrec", "sasrec_loss": "gbce", "num_samples": 6},
    "esasrec": {"model": "esasrec"},
    "s3rec": {"model": "s3rec"},
    "gru4rec": {"model": "gru4rec"},
    "gru4rec, TOP1": {"model": "gru4rec", "gru4rec_loss": "top1"},
    "gru4rec++": {"model": "gru4rec++", "num_samples": 6},
    "gru4rec++, TOP1-max": {"model": "gru4rec++", "gru4recpp_loss": "top1_max", "num_samples": 6},
    "bprmf": {"model": "bprmf"},
}


@pytest.fixture
def make_model(tiny_dataset, make_settings, generator):
    """Makes a model without dropout, its variables drawn anew so that scores differ."""

    def make(variant):
        config = make_settings(hidden_dropout=0, attention_dropout=0, **VARIANTS[variant])
        model = build(config, tiny_dataset)
        for variable in model.trainable_variables:
            variable.assign(generator.normal(size=variable.shape) / 2)
        return model

    return make


@pytest.fixture
def batch_of(tiny_dataset, generator):
    """Makes the batch that a model is trained with: sequences, users, negatives."""

    def make(model):
        users = np.arange(tiny_dataset.num_users)
        lengths = np.minimum(np.diff(tiny_dataset.offsets), model.history_length + 1)
        sequences = padded(tiny_dataset.items, tiny_dataset.offsets[1:] - lengths, lengths, tiny_dataset.num_items)
        width = sequences.shape[1] if model.uses_negatives else 0
        negatives = ItemSampler(tiny_dataset).sample(generator, users, width)
        return tuple(tf.constant(part, tf.int32) for part in (sequences, users, negatives))

    return make


def scores_after(model, sequence):
    """Every item's score after the items of a sequence, from the model's inference."""
    return model((tf.constant([sequence]), tf.constant([0]))).numpy()[0]


def shared_negatives(model):
    """The negatives that the model draws for a whole batch."""
    options = {"shape": [getattr(model, "num_samples", 0)], "seed": fold(SEED, 1), "alg": "philox"}
    if model.loss_name == "gbce":
        return tf.random.stateless_uniform(maxval=model.num_items, dtype=tf.int32, **options).numpy()
    drawn = tf.random.stateless_uniform(**options).numpy()
    return [int(np.flatnonzero(model.cumulative.numpy() >= at)[0]) for at in drawn]


def training_scores(model, sequence):
    """Every item's score after each item of a window, one window at a time."""
    tables = model.item_tables()
    hidden = model.hidden_states(tf.constant(sequence[None, :-1]), tables)
    return hidden[0].numpy() @ tables.outputs.numpy().T + model.item_bias.numpy()


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "bprmf"])
def test_loss_is_the_papers(make_model, batch_of, variant):
    model = make_model(variant)
    sequences, users, negatives = (part.numpy()[:4] for part in batch_of(model))
    loss = loss_of(model, sequences, users, negatives)
    shared = shared_negatives(model)
    losses = []
    for row, t in np.argwhere(sequences[:, :-1] != model.tokens.padding):
        scores = training_scores(model, sequences[row])[t]
        target = sequences[row, t + 1]
        if variant in ("sasrec", "s3rec"):
            negative = negatives[row, t + 1]
            losses.append(-np.log(sigmoid(scores[target])) - np.log(1 - sigmoid(scores[negative])))
        elif variant == "sasrec, gBCE":
            losses.append(gbce(scores[target], [scores[item] for item in shared if item != target], 6, model.num_items))
        elif variant in ("sasrec, softmax", "esasrec", "gru4rec"):
            losses.append(-np.log(reference.softmax(scores)[target]))
        else:
            candidates = [*sequences[:, t + 1], *shared]
            allowed = [item for item in candidates if item not in sequences[row] and item != model.tokens.padding]
            name = {"gru4rec, TOP1": "top1", "gru4rec++": "bpr_max"}.get(variant, "top1_max")
            losses.append(loop(name, scores[target], scores[allowed], l2=1.0))
    assert len(losses) > 10
    assert float(loss) == pytest.approx(np.mean(losses), rel=1e-3)


def test_bpr_is_the_papers(make_model, batch_of):
    model = make_model("bprmf")
    sequences, users, negatives = (part.numpy() for part in batch_of(model))
    losses = []
    for user, item, negative in zip(users, sequences[:, 0], negatives[:, 0]):
        p, q, bias = model.users.numpy()[user], model.items.numpy(), model.bias.numpy()
        difference = p @ q[item] + bias[item] - p @ q[negative] - bias[negative]
        size = p @ p + q[item] @ q[item] + q[negative] @ q[negative]
        losses.append(-np.log(sigmoid(difference)) + model.l2 * size)
    loss = float(loss_of(model, sequences, users, negatives))
    assert loss == pytest.approx(np.mean(losses), rel=1e-4)
    scores = model((tf.zeros([2, 1], tf.int32), tf.constant([3, 4]))).numpy()
    expected = model.items.numpy() @ model.users.numpy()[4] + model.bias
    np.testing.assert_allclose(scores[1], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_variables_are_trained_and_devices_share_the_loss(make_model, batch_of, variant):
    model = make_model(variant)
    assert_all_is_trained_and_shared(model, *batch_of(model))


@pytest.mark.parametrize("variant", ["sasrec", "s3rec", "gru4rec"])
def test_padding_and_older_items_change_nothing(make_model, variant):
    model = make_model(variant)
    items = list(range(1, 12))
    scores = scores_after(model, items)
    np.testing.assert_allclose(scores_after(model, items[-8:]), scores, rtol=1e-3, atol=1e-4)
    assert np.abs(scores_after(model, items[-7:]) - scores).max() > 1e-3
    short = scores_after(model, items[:3])
    np.testing.assert_allclose(scores_after(model, [model.tokens.padding] * 4 + items[:3]), short, rtol=1e-3, atol=1e-4)


def test_additional_samples_follow_popularity(make_settings, tiny_dataset):
    config = make_settings(model="gru4rec++", num_samples=100_000, sample_alpha=0.5)
    model = build(config, tiny_dataset)
    weights = np.bincount(tiny_dataset.items, minlength=24) ** 0.5
    np.testing.assert_allclose(np.diff(model.cumulative, prepend=0), weights / weights.sum(), atol=1e-6)


def test_item_sampler_avoids_the_history(tiny_dataset, generator):
    sampler = ItemSampler(tiny_dataset)
    users = generator.integers(tiny_dataset.num_users, size=50)
    drawn = sampler.sample(generator, users, 200)
    for user, items in zip(users, drawn):
        history = set(tiny_dataset.items[tiny_dataset.offsets[user] : tiny_dataset.offsets[user + 1]])
        assert set(items) == set(range(24)) - history
    full = tiny_dataset._replace(items=np.arange(24, dtype=np.int32), offsets=np.array([0] + [24] * 40))
    assert set(ItemSampler(full).sample(generator, np.array([0]), 500)[0]) == set(range(24))
