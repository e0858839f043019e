import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from katrec.data.sequences import batch_order, padded, prefixes, recent_items, windows
from katrec.models.objectives import choose_masked

PADDING = 99


def cut(lengths, max_length, share):
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    result = windows(offsets, max_length, share)
    return [
        (user, int(start - offsets[user]), int(length))
        for user, start, length in zip(result.users.tolist(), result.starts, result.lengths)
    ]


def test_windows_by_hand():
    assert cut([4, 1, 0, 2], 4, 0.5) == [(0, 0, 4), (3, 0, 2)]
    assert cut([9], 4, 0.5) == [(0, 5, 4), (0, 3, 4), (0, 1, 4), (0, 0, 4)]
    assert cut([9], 4, 1.0) == [(0, 5, 4), (0, 1, 4), (0, 0, 4)]


@given(st.lists(st.integers(0, 40), min_size=1), st.integers(2, 12), st.floats(0.01, 1))
def test_windows_cover_every_item(lengths, max_length, share):
    cuts = cut(lengths, max_length, share)
    for user, length in enumerate(lengths):
        own = [(start, size) for owner, start, size in cuts if owner == user]
        covered = {item for start, size in own for item in range(start, start + size)}
        assert covered == (set(range(length)) if length >= 2 else set())
        assert len(own) == len(set(own))
        assert all(size == min(length, max_length) for _, size in own)


def test_prefixes_by_hand():
    found = prefixes(np.array([0, 3, 3, 8]), 4)
    assert found.users.tolist() == [0] * 3 + [2] * 4
    # The last user's five items: the oldest is in none.
    assert found.starts.tolist() == [0] * 3 + [4] * 4
    assert found.lengths.tolist() == [1, 2, 3, 1, 2, 3, 4]


def test_padding_and_recent_items():
    items = np.arange(10, 20)
    offsets = np.array([0, 3, 3, 10])
    assert padded(items, np.array([0, 5]), np.array([2, 3]), PADDING).tolist() == [[PADDING, 10, 11], [15, 16, 17]]
    recent = recent_items(offsets, items, np.array([0, 1, 2]), 4, PADDING)
    assert recent.tolist() == [[PADDING, 10, 11, 12], [PADDING] * 4, [16, 17, 18, 19]]


@given(st.lists(st.integers(2, 9), min_size=1, max_size=300), st.integers(1, 7), st.integers(0, 9))
def test_an_epoch_has_every_window_once(lengths, batch_size, seed):
    lengths = np.array(lengths)
    batches = batch_order(lengths, batch_size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // batch_size)
    assert max(map(len, batches)) <= batch_size


def test_batches_have_similar_lengths():
    lengths = np.random.default_rng(0).integers(2, 50, size=4096)
    batches = batch_order(lengths, 64, np.random.default_rng(0))
    padding = sum((lengths[batch].max() - lengths[batch]).sum() for batch in batches)
    assert padding < 0.1 * lengths.sum()


def mask(sequences, share, last_share, seed=(1, 2)):
    return choose_masked(tf.constant(sequences), PADDING, share, last_share, tf.constant(seed)).numpy()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 10), min_size=1, max_size=20), st.floats(0.01, 1.0), st.integers(0, 1000))
def test_masked_counts(lengths, share, seed):
    sequences = padded(np.arange(10), np.zeros(len(lengths), int), np.array(lengths), PADDING)
    chosen = mask(sequences, share, 0.0, (seed, 0))
    assert not (chosen & (sequences == PADDING)).any()
    expected = np.maximum(np.round(np.float32(share) * np.array(lengths, np.float32)), 1)
    np.testing.assert_array_equal(chosen.sum(axis=1), expected)


def test_every_position_is_masked_equally_often():
    sequences = np.tile(np.arange(10, dtype=np.int32), (20_000, 1))
    share = mask(sequences, 0.2, 0.0).mean(axis=0)
    np.testing.assert_allclose(share, 0.2, atol=0.015)


def test_last_item_share():
    sequences = np.tile(np.arange(10, dtype=np.int32), (20_000, 1))
    chosen = mask(sequences, 0.5, 0.3)
    alone = chosen[:, -1] & (chosen.sum(axis=1) == 1)
    np.testing.assert_allclose(alone.mean(), 0.3, atol=0.015)
    assert (mask(sequences, 0.5, 1.0) == [False] * 9 + [True]).all()


def test_masks_follow_the_seed():
    sequences = np.tile(np.arange(10, dtype=np.int32), (50, 1))
    np.testing.assert_array_equal(mask(sequences, 0.4, 0.1), mask(sequences, 0.4, 0.1))
    assert (mask(sequences, 0.4, 0.1) != mask(sequences, 0.4, 0.1, (1, 3))).any()
