"""S3-Rec's self-supervised tasks against loops, and what they draw."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from katrec.data.sequences import padded, tokens_of
from katrec.layers.seeds import fold
from katrec.models.build import build
from katrec.models.s3rec import SelfSupervision, choose_segments, masked_positions
from tests.layers.test_ranking_losses import sigmoid
from tests.losses import SEED, assert_all_is_trained_and_shared, loss_of

ITEMS = 24
TOKENS = tokens_of(ITEMS)


@pytest.fixture
def stage(tiny_dataset, make_settings, generator):
    """The first stage of a model without dropout, all variables drawn anew."""
    config = make_settings(model="s3rec", hidden_dropout=0, attention_dropout=0, mask_share=0.4)
    made = SelfSupervision(build(config, tiny_dataset), config, tiny_dataset)
    for variable in made.trainable_variables:
        variable.assign(generator.normal(size=variable.shape) / 2)
    return made


@pytest.fixture
def batch(tiny_dataset, generator):
    """Sequences of 1 to 8 items, their users and negatives."""
    users = np.arange(10)
    lengths = np.minimum(np.arange(1, 11), 6)
    sequences = padded(tiny_dataset.items, tiny_dataset.offsets[:10], lengths, ITEMS)
    return sequences, users.astype(np.int32), generator.integers(ITEMS, size=sequences.shape).astype(np.int32)


def attributes_of(dataset, item):
    """The entities joined to an item that are none, numbered from 0."""
    pairs = [(head, tail) for head, _, tail in dataset.triplets.tolist()]
    pairs += [(tail, head) for head, tail in pairs]
    return {tail - dataset.num_items for head, tail in pairs if head == item and tail >= dataset.num_items}


def state(stage, sequence):
    """F of one sequence without padding, read from both sides: T × q."""
    vectors = np.concatenate([stage.model.items, np.zeros([1, 16]), stage.mask_vector])
    read = tf.constant(vectors[None, sequence], tf.float32)
    return stage.model.transformer(read, np.ones([1, len(sequence)], bool), causal=False).numpy()[0]


def f(stage, task, hidden, vector):
    kernel, bias = stage.tasks[task].get_weights()
    return sigmoid((hidden @ kernel + bias) @ vector)


def test_loss_is_the_four_tasks(stage, batch, tiny_dataset):
    sequences, _, negatives = batch
    masked = masked_positions(sequences, TOKENS, 0.4, fold(SEED, 0)).numpy()
    segments = choose_segments(sequences, TOKENS, tiny_dataset.items, fold(SEED, 1))
    items, total = stage.model.items.numpy(), 0.0
    for row, sequence in enumerate(sequences):
        real = sequence != TOKENS.padding
        own = sequence[real]
        hidden = state(stage, np.where(masked[row], TOKENS.mask, sequence)[real])
        for t, (item, is_masked) in enumerate(zip(own, masked[row][real])):
            task, weight = ("masked_attributes", 1.0) if is_masked else ("associated_attributes", 0.2)
            for number, attribute in enumerate(stage.attributes.numpy()):
                probability = f(stage, task, hidden[t], attribute)
                has = number in attributes_of(tiny_dataset, item)
                total -= weight * np.log(probability if has else 1 - probability)
            if is_masked:
                other = negatives[row][real][t]
                wanted, unwanted = (f(stage, "masked_items", hidden[t], items[one]) for one in (item, other))
                total -= np.log(sigmoid(wanted - unwanted))
        inside = segments.inside.numpy()[row][real]
        if inside.any():
            stretch = segments.others.numpy()[row][real]
            without = state(stage, np.where(inside, TOKENS.mask, own))[-1]
            scores = [
                f(stage, "segments", without, state(stage, np.where(inside, one, TOKENS.mask))[-1])
                for one in (own, stretch)
            ]
            total -= 0.5 * np.log(sigmoid(scores[0] - scores[1]))
    assert masked.sum() > 15 and segments.inside.numpy().any(axis=1).sum() == 9
    assert float(loss_of(stage, *batch)) == pytest.approx(total / len(sequences), rel=1e-3)


def test_all_variables_are_trained_and_devices_share_the_loss(stage, batch):
    assert_all_is_trained_and_shared(stage, *batch)


def test_without_attributes_two_tasks_are_left(tiny_dataset, make_settings, batch):
    config = make_settings(model="s3rec", hidden_dropout=0, attention_dropout=0)
    between_items = tiny_dataset.triplets[(tiny_dataset.triplets < ITEMS)[:, [0, 2]].all(axis=1)]
    bare = tiny_dataset._replace(triplets=between_items, num_entities=ITEMS)
    made = SelfSupervision(build(config, bare), config, bare)
    # With initial values near 0 each choice of two is open: −ln σ(0).
    masked = masked_positions(batch[0], TOKENS, config.mask_share, fold(SEED, 0)).numpy().sum()
    assert len(between_items) > 0
    assert float(loss_of(made, *batch)) == pytest.approx(np.log(2) * (masked + 0.5 * 9) / 10, rel=0.05)


lengths_of_sequences = st.lists(st.integers(1, 12), min_size=1, max_size=20)


@settings(deadline=None, max_examples=50)
@given(lengths_of_sequences, st.integers(0, 1000))
def test_segments(lengths, seed):
    history = np.arange(100, 140)
    sequences = padded(np.arange(12), np.zeros(len(lengths), int), np.array(lengths), TOKENS.padding)
    inside, others = (part.numpy() for part in choose_segments(sequences, TOKENS, history, tf.constant([seed, 2])))
    for row, length in enumerate(lengths):
        places = np.flatnonzero(inside[row])
        assert len(places) == 0 if length < 2 else 1 <= len(places) <= length // 2
        if len(places):
            assert (np.diff(places) == 1).all() and sequences[row, places[0]] != TOKENS.padding
            assert (np.diff(others[row, places]) == 1).all() and set(others[row, places]) <= set(history)


def test_segments_are_everywhere_and_of_all_sizes():
    sequences, history = np.tile(np.arange(6), (20_000, 1)), np.arange(100, 110)
    inside, others = (part.numpy() for part in choose_segments(sequences, TOKENS, history, tf.constant([3, 4])))
    sizes = inside.sum(axis=1)
    for size in (1, 2, 3):
        of_size = inside[sizes == size]
        assert len(of_size) / 20_000 == pytest.approx(1 / 3, abs=0.015)
        starts = np.bincount(of_size.argmax(axis=1), minlength=6) / len(of_size)
        np.testing.assert_allclose(starts, [1 / (7 - size)] * (7 - size) + [0] * (size - 1), atol=0.03)
        first = np.bincount(others[sizes == size][of_size].reshape(-1, size)[:, 0] - 100, minlength=10)
        np.testing.assert_allclose(first / len(of_size), [1 / (11 - size)] * (11 - size) + [0] * (size - 1), atol=0.02)


def test_the_last_item_and_a_share_of_the_others_are_masked():
    sequences = padded(np.arange(10), np.zeros(20_000, int), np.full(20_000, 10), TOKENS.padding)
    sequences[:, :3] = TOKENS.padding
    masked = masked_positions(sequences, TOKENS, 0.3, tf.constant([1, 2])).numpy()
    assert masked[:, -1].all() and not masked[:, :3].any()
    np.testing.assert_allclose(masked[:, 3:-1].mean(axis=0), 0.3, atol=0.015)
