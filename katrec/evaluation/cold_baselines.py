"""Simple ways to rank items that nobody has interacted with, which a model has to beat."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional

import numpy as np
from scipy import sparse

from katrec.common.command_line import UserError
from katrec.data.cold_items import hold_out, with_cold_validation
from katrec.data.dataset import Dataset
from katrec.data.item_contents import item_vectors
from katrec.evaluation.metrics import metrics

BATCH_USERS = 256
RANDOM_SEED = 2022
CHOSEN_BY = "NDCG@10"


Scorer = Callable[[np.ndarray], np.ndarray]


class Baseline(NamedTuple):
    """A way to score items.

    Attributes:
      title: its name in tables.
      scorer: function of a data set, the split and a choice's values; gives a function from users int[n] to
        float[n, |I|].
      choices: {name: the values that are tried}; every combination is.
    """

    title: str
    scorer: Callable[..., Scorer]
    choices: Mapping[str, tuple]


class Ranked(NamedTuple):
    """What a baseline reaches.

    Attributes:
      title: its name.
      choice: the values that did best on the cold items' validation interactions.
      among_cold: metrics of the rank of a cold target among the cold items.
      full: the same among all items.
      warm: of the users whose target is not cold, among all items; None where there are none.
    """

    title: str
    choice: dict[str, Any]
    among_cold: dict[str, float]
    full: dict[str, float]
    warm: Optional[dict[str, float]]


def by_chance(dataset: Dataset, split: str) -> Scorer:
    """Scores drawn at random, the same for a user whatever the batch; arguments as in `Baseline.scorer`."""

    def drawn(user):
        return np.random.default_rng([RANDOM_SEED, user]).random(dataset.num_items)

    return lambda users: np.stack([drawn(user) for user in users])


def neighbours_popularity(dataset: Dataset, split: str, neighbours: str, aggregate: str) -> Scorer:
    """s_i: how often what stands beside i in the graph was interacted with, the same for all histories.

    Args:
      dataset: its training interactions are counted.
      split: not read.
      neighbours: "items": those that a triplet joins to i; "entities": the entities that are no items, each counted as
        its items are.
      aggregate: "sum", "mean" or "max": over the neighbours, and over an entity's items.
    """
    heads, _, tails = dataset.triplets.T
    joined = sparse.csr_matrix((np.ones(len(heads)), (heads, tails)), [dataset.num_entities] * 2)
    joined = ((joined + joined.T) > 0).astype(float).tocsr()
    popularity = dataset.popularity().astype(float)
    items = joined[: dataset.num_items]
    if neighbours == "items":
        scores = _aggregated(items[:, : dataset.num_items], popularity, aggregate)
    else:
        entities = joined[dataset.num_items :, : dataset.num_items]
        scores = _aggregated(items[:, dataset.num_items :], _aggregated(entities, popularity, aggregate), aggregate)
    return lambda users: np.broadcast_to(scores, (len(users), dataset.num_items))


def _aggregated(joined, values, aggregate):
    """Returns the sum, mean or maximum of the values of each row's columns; 0 where it has none."""
    weighted = (joined @ sparse.diags(values)).tocsr()
    if aggregate == "max":
        return weighted.max(axis=1).toarray()[:, 0]
    sums = np.asarray(weighted.sum(axis=1))[:, 0]
    return sums / np.maximum(joined.getnnz(axis=1), 1) if aggregate == "mean" else sums


def content_neighbours(dataset: Dataset, split: str, last: int, by_rarity: bool, with_items: bool) -> Scorer:
    """s_i: the mean cosine of i's vector of entities and those of the history's items.

    Args:
      dataset: its graph, and the histories of `split`, are read.
      split: as in `Dataset.histories`.
      last: so many of a history's last items count; 0: all.
      by_rarity: as in `katrec.data.item_contents.item_vectors`.
      with_items: as there.
    """
    vectors = item_vectors(dataset, with_items, by_rarity)
    offsets, items = dataset.histories(split)

    def score(users):
        starts = np.maximum(offsets[users], offsets[users + 1] - last) if last else offsets[users]
        read = [items[start:end] for start, end in zip(starts, offsets[users + 1])]
        lengths = np.array([len(one) for one in read])
        rows = np.repeat(np.arange(len(users)), lengths)
        shares = sparse.csr_matrix((1 / lengths[rows], (rows, np.concatenate(read))), (len(users), dataset.num_items))
        return (vectors @ (shares @ vectors).toarray().T).T

    return score


BASELINES = (
    Baseline("random", by_chance, {}),
    Baseline(
        "popularity of its neighbours",
        neighbours_popularity,
        {"neighbours": ("items", "entities"), "aggregate": ("sum", "mean", "max")},
    ),
    Baseline(
        "content kNN",
        content_neighbours,
        {"last": (1, 5, 0), "by_rarity": (False, True), "with_items": (False, True)},
    ),
)


def evaluate(dataset: Dataset, share: float, seed: int) -> list[Ranked]:
    """Returns what each of `BASELINES` reaches in the protocol of `katrec.data.cold_items.hold_out`.

    A baseline's values are those that rank the cold items' validation interactions best among the cold items.

    Args:
      dataset: all of it; the rest as in `hold_out`.
      share: as there.
      seed: as there.

    Raises:
      UserError: as `hold_out`, or no user's test item is cold.
    """
    held, tuned = hold_out(dataset, share, seed), with_cold_validation(dataset, share, seed)
    if not held.is_cold[held.test[held.test >= 0]].any():
        raise UserError(f"data set {dataset.name}: no user's test item is one of the {len(held.cold)} cold items")
    found = []
    for baseline in BASELINES:
        choices = [dict(zip(baseline.choices, values)) for values in itertools.product(*baseline.choices.values())]
        best = max(choices, key=lambda choice: _reached(baseline, tuned, choice)) if len(choices) > 1 else choices[0]
        among_cold, full = _ranks(baseline, held, "test", best)
        _, warm = _ranks(baseline, held, "test", best, cold=False)
        of_warm = metrics(warm) if warm else None
        found.append(Ranked(baseline.title, best, metrics(among_cold), metrics(full), of_warm))
    return found


def _reached(baseline, tuned, choice):
    """Returns the metric by which a choice is made; 0 where no validation item is cold."""
    ranks, _ = _ranks(baseline, tuned, "valid", choice)
    return metrics(ranks)[CHOSEN_BY] if ranks else 0.0


def _ranks(baseline, dataset, split, choice, cold=True):
    """Returns the ranks of cold, or other, targets among cold items and among all, without those of the history."""
    targets = getattr(dataset, split)
    is_cold = dataset.is_cold
    users = np.flatnonzero((targets >= 0) & (is_cold[targets] == cold))
    offsets, items = dataset.histories(split)
    score = baseline.scorer(dataset, split, **choice)
    ranks: tuple[list, list] = ([], [])
    for start in range(0, len(users), BATCH_USERS):
        batch = users[start : start + BATCH_USERS]
        scores = np.array(score(batch), np.float64)
        of_targets = scores[np.arange(len(batch)), targets[batch]]
        for row, user in enumerate(batch):
            seen = items[offsets[user] : offsets[user + 1]]
            scores[row, seen[seen != targets[user]]] = -np.inf
        # The target is not below itself: with it the count is the rank, and ties count against it.
        before = scores >= of_targets[:, None]
        ranks[0].extend(before[:, is_cold].sum(axis=1))
        ranks[1].extend(before.sum(axis=1))
    return ranks
