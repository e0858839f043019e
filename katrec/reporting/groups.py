"""Users grouped by the length of their histories (Figure 4)."""

import numpy as np

from katrec.reporting.finished import user_values

BOUNDS = (5, 10, 20, 50, 100)
FEWEST_USERS = 10


def length_groups(lengths):
    """Returns the groups' labels and their users, a bool[n] each; groups of fewer than 10 users join the next.

    Args:
      lengths: items in each user's history, int[n].
    """
    labels, members, low = [], [], 1
    for high in (*BOUNDS, None):
        inside = (lengths >= low) & (lengths <= (high or lengths.max()))
        last = high is None or not (lengths > high).any()
        if inside.sum() >= FEWEST_USERS or (last and inside.any()):
            labels.append(f"> {low - 1}" if high is None else f"{low}–{high}" if low > 1 else f"≤ {high}")
            members.append(inside)
            low = (high or 0) + 1
        if last:
            break
    return labels, members


def group_metric(runs, members, metric):
    """Returns a sampled metric's mean over each group's users and over the runs, float[groups]."""
    values = user_values(runs, "sampled", metric)
    return np.array([values[inside].mean() for inside in members])
