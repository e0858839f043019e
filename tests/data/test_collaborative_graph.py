import numpy as np

from katrec.data import collaborative_graph
from katrec.data.dataset import Dataset


def dataset(triplets, offsets, items, valid, test, num_items=3, num_entities=5, num_relations=2):
    return Dataset(
        "hand",
        np.array(offsets),
        np.array(items, np.int32),
        np.array(valid, np.int32),
        np.array(test, np.int32),
        np.array(triplets, np.int32).reshape(-1, 3),
        num_items,
        num_entities,
        num_relations,
        {},
    )


def test_both_directions_and_only_training_interactions():
    # Items 0, 1, 2; entities 3, 4; users 5, 6. Relations 0, 1; inverses 2, 3; interacts 4 and its inverse 5.
    data = dataset([[0, 0, 3], [0, 1, 3], [1, 0, 4]], [0, 2, 3], [0, 0, 1], [2, -1], [1, -1])
    graph = collaborative_graph.build(data)
    edges = list(zip(graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist()))
    assert edges == [
        (0, 0, 3),
        (0, 1, 3),
        (0, 5, 5),
        (1, 0, 4),
        (1, 5, 6),
        (3, 2, 0),
        (3, 3, 0),
        (4, 2, 1),
        (5, 4, 0),
        (6, 4, 1),
    ]
    assert (graph.num_nodes, graph.num_relations) == (7, 6)


def test_held_out_interactions_never_enter(tiny_dataset):
    graph = collaborative_graph.build(tiny_dataset)
    edges = set(zip(graph.heads.tolist(), graph.tails.tolist()))
    users = np.arange(tiny_dataset.num_users)
    for held_out in (tiny_dataset.valid, tiny_dataset.test):
        assert not edges & set(zip((users + tiny_dataset.num_entities).tolist(), held_out.tolist()))
        assert not edges & set(zip(held_out.tolist(), (users + tiny_dataset.num_entities).tolist()))


def test_histories_by_split():
    data = dataset([], [0, 2, 3, 5], [0, 1, 2, 1, 0], [2, -1, 2], [1, -1, 0])
    assert [x.tolist() for x in data.histories("valid")] == [[0, 2, 3, 5], [0, 1, 2, 1, 0]]
    assert [x.tolist() for x in data.histories("test")] == [[0, 3, 4, 7], [0, 1, 2, 2, 1, 0, 2]]
    users, items = data.interactions()
    assert sorted(zip(users.tolist(), items.tolist())) == [
        (0, 0),
        (0, 1),
        (0, 1),
        (0, 2),
        (1, 2),
        (2, 0),
        (2, 0),
        (2, 1),
        (2, 2),
    ]
