import numpy as np
import pytest

from katrec.common.command_line import UserError
from katrec.data import growth
from katrec.data.growth import NewItems, grow


def named_triplets(dataset):
    """The triplets in raw ids, an item by its own."""
    items, entities, relations = (dataset.raw_ids(what) for what in ("item", "entity", "relation"))
    names = [*items, *entities[dataset.num_items :]]
    return {(names[head], relations[relation], names[tail]) for head, relation, tail in dataset.triplets}


def test_new_items_stand_behind_the_others_with_their_triplets(tiny_dataset):
    new = NewItems(
        [("n.1", "film.genre", "g.1"), ("m.2", "film.sequel", "n.1"), ("n.2", "film.genre", "g.3")],
        {"new1": "n.1", "new2": "n.2"},
    )
    grown = grow(tiny_dataset, new)
    dataset = grown.dataset
    assert grown.added == ["new1", "new2"] and grown.notes == []
    assert dataset.raw_ids("item") == [*tiny_dataset.raw_ids("item"), "new1", "new2"]
    assert dataset.cold.tolist() == [24, 25] and dataset.num_items == 26
    assert dataset.num_entities == tiny_dataset.num_entities + 2
    # "m.2" is the entity of item i2.
    come = {("new1", "film.genre", "g.1"), ("i2", "film.sequel", "new1"), ("new2", "film.genre", "g.3")}
    assert named_triplets(dataset) == named_triplets(tiny_dataset) | come
    np.testing.assert_array_equal(dataset.items, tiny_dataset.items)


def test_an_entity_that_turns_out_to_be_items_becomes_them(tiny_dataset):
    grown = grow(tiny_dataset, NewItems([("d.3", "film.genre", "g.2")], {"a": "d.3", "b": "d.3"})).dataset
    directed = {one[0] for one in named_triplets(tiny_dataset) if one[2] == "d.3"}
    both = {(film, "film.director", item) for film in directed for item in "ab"}
    assert both <= named_triplets(grown) and "d.3" not in grown.raw_ids("entity")[grown.num_items :]
    assert grown.num_entities == tiny_dataset.num_entities + 1


def test_an_entity_that_is_an_item_gives_another_one_a_copy(tiny_dataset):
    grown = grow(tiny_dataset, NewItems([], {"again": "m.2"})).dataset
    assert grown.num_entities == tiny_dataset.num_entities + 1
    old = named_triplets(tiny_dataset)
    copies = {tuple("again" if end == "i2" else end for end in one) for one in old if "i2" in one}
    assert named_triplets(grown) == old | copies and copies


def test_what_is_left_out_is_named_or_counted(tiny_dataset):
    new = NewItems(
        [
            ("n.1", "film.genre", "g.1"),
            ("n.1", "film.genre", "nowhere"),
            ("n.1", "film.colour", "g.1"),
            ("m.1", "film.genre", "g.3"),
            ("n.2", "film.sequel", "n.3"),
        ],
        {"new1": "n.1", "new2": "n.2", "new3": "n.3"},
    )
    grown = grow(tiny_dataset, new)
    assert grown.added == ["new1"]
    assert grown.notes == [
        "items 'new2', 'new3': left out, no triplet joins it to a known entity",
        "triplets left out: 1, neither end is a new item",
        "triplets left out: 1, the relation is not known to the model",
        "triplets left out: 1, the other end is not known to the model",
    ]
    assert named_triplets(grown.dataset) - named_triplets(tiny_dataset) == {("new1", "film.genre", "g.1")}


@pytest.mark.parametrize(
    "new, message",
    [
        (NewItems([("m.1", "film.genre", "g.1")], {"i1": "m.1"}), "item 'i1': known already"),
        (NewItems([("n.1", "film.genre", "n.2")], {"n": "n.1"}), "no new item can be added: item 'n': left out"),
        (NewItems([], {}), "no new item can be added: there is none"),
    ],
)
def test_nothing_new_is_said(tiny_dataset, new, message):
    with pytest.raises(UserError, match=message):
        grow(tiny_dataset, new)


def test_additions_come_back_from_a_folder(tmp_path):
    assert growth.read(str(tmp_path)) == []
    given = [NewItems([("a", "r", "b")], {"x": "a"}), NewItems([], {})]
    growth.write(str(tmp_path), given)
    assert growth.read(str(tmp_path)) == given
