"""Groups of test users, for which the metrics are told apart."""

from __future__ import annotations

import numpy as np

LENGTH_BOUNDS = (5, 10, 20, 50, 100)
FEWEST_USERS = 10
POPULARITY = ("popular", "middle", "rare")


def by_length(lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Returns Figure 4's groups by the length of the history: {label: which users, bool[n]}.

    Groups of fewer than 10 users join the next.

    Args:
      lengths: items in each user's history, int[n].
    """
    groups, low = {}, 1
    for high in (*LENGTH_BOUNDS, None):
        inside = (lengths >= low) & (lengths <= (high or lengths.max()))
        last = high is None or not (lengths > high).any()
        if inside.sum() >= FEWEST_USERS or (last and inside.any()):
            groups[f"> {low - 1}" if high is None else f"{low}–{high}" if low > 1 else f"≤ {high}"] = inside
            low = (high or 0) + 1
        if last:
            break
    return groups


def by_popularity(targets: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Returns groups by how popular the user's test item is: {"popular": which users, bool[n], "middle": …, "rare": …}.

    An item is popular where the items with more training interactions than it have less than a third of all
    interactions, middle where they have less than two thirds, else rare. A group without users is left out.

    Args:
      targets: the users' test items, int[n].
      counts: training interactions of each item, int[|I|].
    """
    values, sizes = np.unique(counts, return_counts=True)
    totals = np.cumsum((values * sizes)[::-1])[::-1]
    # Of the interactions, by popularity, the share of the items that are more popular.
    shares = np.append(totals[1:], 0) / max(int(counts.sum()), 1)
    of_targets = shares[np.searchsorted(values, counts[targets])]
    inside = (of_targets < 1 / 3, (of_targets >= 1 / 3) & (of_targets < 2 / 3), of_targets >= 2 / 3)
    return {name: users for name, users in zip(POPULARITY, inside) if users.any()}


def by_novelty(cold: np.ndarray) -> dict[str, np.ndarray]:
    """Returns groups by whether the user's test item is cold: {"cold": which users, bool[n], "warm": …}.

    A group without users is left out.

    Args:
      cold: whether it is, bool[n].
    """
    return {name: users for name, users in (("cold", cold), ("warm", ~cold)) if users.any()}
