"""Items held out as cold ones: the protocol that asks a model for what nobody has interacted with yet."""

from __future__ import annotations

import numpy as np

from katrec.common.command_line import UserError
from katrec.data.dataset import Dataset

COLD_STREAM = 2021


def hold_out(dataset: Dataset, share: float, seed: int) -> Dataset:
    """Returns the data set as it would be if some of its items were new: nobody has interacted with them.

    A random share of the items lose their training and validation interactions and become `cold`; they stay test items
    and nodes of the graph. A user whose only training items they were is trained on the validation item, and one who
    has none left either is not tested.

    Args:
      dataset: all of it.
      share: of the items; 0 gives the data set as it is.
      seed: which they are is a function of it.

    Raises:
      UserError: no item would become cold, or none would be left.
    """
    if not share:
        return dataset
    count = round(share * dataset.num_items)
    if not 0 < count < dataset.num_items:
        raise UserError(
            f"cold_item_share={share:g}: of the {dataset.num_items} items of {dataset.name} that are {count}; at least "
            "one must be cold, and one must not"
        )
    chosen = np.random.default_rng([COLD_STREAM, seed]).choice(dataset.num_items, count, replace=False)
    is_cold = np.isin(np.arange(dataset.num_items), chosen)
    users = np.repeat(np.arange(dataset.num_users), np.diff(dataset.offsets))
    kept = ~is_cold[dataset.items]
    users, items = users[kept], dataset.items[kept]
    valid = np.where((dataset.valid >= 0) & is_cold[dataset.valid], -1, dataset.valid)
    # Something to learn from comes before something to choose weights by.
    moved = (np.bincount(users, minlength=dataset.num_users) == 0) & (valid >= 0)
    users = np.concatenate([users, np.flatnonzero(moved)])
    items = np.concatenate([items, valid[moved]])[np.argsort(users, kind="stable")]
    lengths = np.bincount(users, minlength=dataset.num_users)
    return dataset._replace(
        offsets=np.append(0, np.cumsum(lengths)),
        items=items.astype(np.int32),
        valid=np.where(moved, -1, valid).astype(np.int32),
        test=np.where(lengths > 0, dataset.test, -1).astype(np.int32),
        cold=np.union1d(dataset.cold, chosen).astype(np.int32),
    )


def with_cold_validation(dataset: Dataset, share: float, seed: int) -> Dataset:
    """Returns what `hold_out` returns, but its validation items are those that it takes away: to choose settings by.

    Arguments and errors as there.
    """
    held = hold_out(dataset, share, seed)
    known = (dataset.valid >= 0) & (np.diff(held.offsets) > 0)
    return held._replace(valid=np.where(known & held.is_cold[dataset.valid], dataset.valid, -1).astype(np.int32))
