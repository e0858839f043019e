"""Prepared data sets of real ones' sizes, with skewed popularity, in memory."""

from typing import NamedTuple

import numpy as np
from absl import flags

from katrec.common.paper import TABLE_1
from katrec.data.dataset import Dataset


class Size(NamedTuple):
    """Table 1's counts; `entities` includes the items."""

    users: int
    items: int
    entities: int
    interactions: int
    triplets: int
    relations: int


SIZES = {
    **{
        name: Size(users, items, items + entities, interactions, triplets, relations)
        for name, (users, items, interactions, entities, relations, triplets) in TABLE_1.items()
    },
    "beauty": Size(22363, 12101, 12738, 198502, 45032, 1),
    "ml-100k": Size(943, 1152, 2586, 97953, 37242, 23),
}


def define(flag_values):
    """Defines the flags that choose a data set."""
    flags.DEFINE_enum(
        "dataset_like", "amazon-book", sorted(SIZES), "The data set whose sizes are taken.", flag_values=flag_values
    )
    flags.DEFINE_float(
        "scale", 1.0, "Factor of all sizes but the number of relations.", 1e-3, 100, flag_values=flag_values
    )


def like(name, scale, seed=0):
    """Returns a random `Dataset` of `scale` times the sizes of the data set `name`.

    Popularity of items and entities falls as rank^−0.8, of relations as 1 / rank; history lengths have a heavy tail.
    """
    full = SIZES[name]
    size = Size(*(max(int(count * scale), 10) for count in full[:-1]), full.relations)
    generator = np.random.default_rng(seed)

    def popular(count, total, exponent=0.8):
        weights = np.arange(1, count + 1.0) ** -exponent
        return generator.choice(count, size=total, p=weights / weights.sum()).astype(np.int32)

    # Three interactions a user at least: one to train on, two held out.
    tail = generator.pareto(1.2, size.users) + 0.3
    lengths = 1 + generator.multinomial(max(size.interactions - 3 * size.users, 0), tail / tail.sum())
    attributes = size.entities - size.items
    drawn = int(size.triplets * 1.3)
    triplets = np.unique(
        np.stack(
            [
                generator.integers(size.items, size=drawn, dtype=np.int32),
                popular(size.relations, drawn, 1.0),
                size.items + popular(attributes, drawn),
            ],
            axis=1,
        ),
        axis=0,
    )
    kept = np.sort(generator.permutation(len(triplets))[: size.triplets])
    return Dataset(
        name=f"like {name}",
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        items=popular(size.items, lengths.sum()),
        valid=popular(size.items, size.users),
        test=popular(size.items, size.users),
        triplets=triplets[kept],
        num_items=size.items,
        num_entities=size.entities,
        num_relations=size.relations,
        checksums={},
    )
