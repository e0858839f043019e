import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from katrec.data import collaborative_graph
from katrec.data.collaborative_graph import CollaborativeGraph
from katrec.data.negatives import TripletSampler, item_negatives


def test_broken_triplets_are_outside_the_graph(tiny_dataset, generator):
    graph = collaborative_graph.build(tiny_dataset)
    edges = set(zip(graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist()))
    sample = TripletSampler(graph).sample(generator, 20_000).tolist()
    for head, relation, tail, broken in sample:
        assert (head, relation, tail) in edges
        assert (head, relation, broken) not in edges
    assert {tuple(row[:3]) for row in sample} == edges
    assert {row[3] for row in sample} == set(range(graph.num_nodes))


def test_a_dense_graph_leaves_the_only_negative(generator):
    # Node 0 is joined to nodes 0 and 1 of three: only node 2 can break its triplets.
    graph = CollaborativeGraph(np.array([0, 0]), np.array([0, 0]), np.array([0, 1]), 3, 1)
    assert set(TripletSampler(graph).sample(generator, 50)[:, 3]) == {2}


def test_a_head_joined_to_all_nodes_is_refused():
    graph = CollaborativeGraph(np.array([1, 1]), np.array([0, 0]), np.array([0, 1]), 2, 1)
    with pytest.raises(ValueError, match="node 1 is joined to every node"):
        TripletSampler(graph)


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 29)), min_size=1, max_size=8), st.integers(1, 30), st.integers(0, 99))
def test_item_negatives_are_distinct_and_unseen(histories, count, seed):
    users = np.array([user for user, items in enumerate(histories) for _ in items], np.int64)
    items = np.array([item for items in histories for item in sorted(items)], np.int64)
    repeated = np.concatenate([users, users]), np.concatenate([items, items])
    drawn = item_negatives(*repeated, len(histories), 30, count, np.random.default_rng(seed))
    assert drawn.shape == (len(histories), count)
    for row, history in zip(drawn.tolist(), histories):
        real = [item for item in row if item >= 0]
        assert len(real) == len(set(real)) == min(count, 30 - len(history))
        assert not set(real) & history
        assert set(real) <= set(range(30))
        assert row[len(real) :] == [-1] * (count - len(real))


@pytest.mark.parametrize("num_items", [12, 200])
def test_item_negatives_are_uniform(num_items):
    """Both ways of drawing: few items outside the history, and many."""
    users = np.repeat(np.arange(20_000), 2)
    items = np.tile([1, 5], 20_000)
    drawn = item_negatives(users, items, 20_000, num_items, 3, np.random.default_rng(0))
    counts = np.bincount(drawn.ravel(), minlength=num_items)
    assert counts[[1, 5]].tolist() == [0, 0]
    expected = 60_000 / (num_items - 2)
    others = np.delete(counts, [1, 5])
    chi_square = np.sum((others - expected) ** 2 / expected)
    degrees = num_items - 3
    assert abs(chi_square - degrees) < 5 * np.sqrt(2 * degrees)


def test_the_same_seed_draws_the_same(tiny_dataset):
    def draw(seed):
        return item_negatives(
            *tiny_dataset.interactions(), tiny_dataset.num_users, tiny_dataset.num_items, 5, np.random.default_rng(seed)
        )

    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).any()
