import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from katrec.common.command_line import UserError
from katrec.data.cold_items import hold_out, with_cold_validation
from katrec.data.dataset import Dataset
from katrec.data.item_contents import item_vectors, most_alike
from katrec.data.negatives import ItemSampler

ITEMS = 12


def dataset_of(histories):
    """A data set of the given histories, split as preprocessing splits them."""
    training = [items[:-2] if len(items) > 2 else items for items in histories]
    held = [items[-2:] if len(items) > 2 else [-1, -1] for items in histories]
    return Dataset(
        name="made",
        offsets=np.cumsum([0, *map(len, training)]),
        items=np.array([item for items in training for item in items], np.int32),
        valid=np.array([pair[0] for pair in held], np.int32),
        test=np.array([pair[1] for pair in held], np.int32),
        triplets=np.zeros((0, 3), np.int32),
        num_items=ITEMS,
        num_entities=ITEMS,
        num_relations=0,
        checksums={},
    )


histories = st.lists(st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=9), min_size=1, max_size=10)


@settings(deadline=None)
@given(histories, st.sampled_from([0.1, 0.25, 0.5, 0.9]), st.integers(0, 50))
def test_cold_items_lose_what_was_before_the_test_and_nothing_else_is_lost(histories, share, seed):
    before = dataset_of(histories)
    after = hold_out(before, share, seed)
    cold = set(after.cold.tolist())
    assert len(cold) == round(share * ITEMS) and after.is_cold.sum() == len(cold)
    assert not cold & set(after.items.tolist()) and not cold & set(after.valid[after.valid >= 0].tolist())
    for user in range(before.num_users):
        old = before.items[before.offsets[user] : before.offsets[user + 1]].tolist()
        new = after.items[after.offsets[user] : after.offsets[user + 1]].tolist()
        kept = [item for item in old if item not in cold]
        valid = before.valid[user] if before.valid[user] not in cold else -1
        if kept:
            assert (new, after.valid[user], after.test[user]) == (kept, valid, before.test[user])
        elif valid >= 0:
            assert (new, after.valid[user], after.test[user]) == ([valid], -1, before.test[user])
        else:
            assert (new, after.valid[user], after.test[user]) == ([], -1, -1)
    users, items = after.interactions("test")
    assert (items >= 0).all() and len(users) == len(items)
    tuned = with_cold_validation(before, share, seed)
    assert set(tuned.valid[tuned.valid >= 0].tolist()) <= cold
    np.testing.assert_array_equal(tuned.items, after.items)


def test_another_seed_gives_other_items_and_the_same_the_same():
    dataset = dataset_of([[0, 1, 2, 3]])
    chosen = [hold_out(dataset, 0.5, seed).cold.tolist() for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]
    assert hold_out(dataset, 0, 1) is dataset


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_a_share_that_leaves_nothing_is_said(share):
    with pytest.raises(UserError, match=r"cold_item_share=.* of the 12 items"):
        hold_out(dataset_of([[0, 1, 2]]), share, 1)


def test_cold_items_are_no_negatives(generator):
    dataset = dataset_of([[0, 1, 2, 3]])._replace(cold=np.array([4, 7], np.int32))
    drawn = ItemSampler(dataset).sample(generator, np.zeros(400, np.int64), 2)
    # 0 and 1 are the training history.
    assert set(drawn.ravel().tolist()) == set(range(ITEMS)) - {0, 1, 4, 7}


def test_items_are_alike_by_what_they_share():
    # Items 0, 1, 2 have entity 4, items 0, 1 have entity 5; item 3 stands beside item 2 alone.
    triplets = [(0, 0, 4), (1, 0, 4), (4, 1, 2), (0, 0, 5), (1, 0, 5), (3, 1, 2)]
    dataset = dataset_of([[0, 1, 2]])._replace(
        triplets=np.array(triplets, np.int32), num_items=4, num_entities=6, num_relations=2
    )
    # By hand: the counts of the entities 0 … 5 are 1, 1, 2, 2, 3, 2.
    rare, two, three = np.log(4 / np.array([1, 2, 3]))
    rows = [
        [rare, 0, 0, 0, three, two],
        [0, rare, 0, 0, three, two],
        [0, 0, two, two, three, 0],
        [0, 0, two, two, 0, 0],
    ]
    expected = np.array([row / np.linalg.norm(row) for row in rows])
    vectors = item_vectors(dataset)
    np.testing.assert_allclose(vectors.toarray(), expected)
    attributes = item_vectors(dataset, with_items=False, by_rarity=False).toarray()
    np.testing.assert_allclose(attributes[[0, 2, 3]], [[0, 0, 0, 0, 0.5**0.5, 0.5**0.5], [0, 0, 0, 0, 1, 0], [0] * 6])
    items, others, cosines = most_alike(vectors, 1)
    assert list(zip(items.tolist(), others.tolist())) == [(0, 1), (1, 0), (2, 3), (3, 2)]
    np.testing.assert_allclose(cosines, [expected[item] @ expected[other] for item, other in zip(items, others)])
    # No more than there are, and none without anything in common.
    items, others, _ = most_alike(vectors, 9)
    assert sorted(zip(items.tolist(), others.tolist())) == [
        (one, other) for one in range(4) for other in range(4) if one != other and expected[one] @ expected[other] > 0
    ]
