"""What Figures 5 and 6 show, computed from the best weights of finished runs."""

import numpy as np

from katrec.evaluation.attention import attention_weights, average_attention, cooccurrence_ratio

POSITIONS = 15
ITEMS = 6


def figure5(models, dataset):
    """Returns {title: float[layers, heads, 15, 15]} of {title: model}."""
    return {title: average_attention(model, dataset, POSITIONS) for title, model in models.items()}


def figure6(models, dataset, seed):
    """Returns one user's last items, their co-occurrence and the last position's attention to them.

    Args:
      models: {title: model}.
      dataset: `Dataset`.
      seed: the user is drawn with it from those with at least 6 different items among the last 6 that are read.

    Returns:
      int[6] items; float[6, 6]; {title: float[6]}, the last layer's mean weights over its heads.

    Raises:
      ValueError: there is no such user.
    """
    offsets, items = histories = dataset.histories("test")
    for user in np.random.default_rng(seed).permutation(np.flatnonzero(dataset.test >= 0)):
        chosen = items[max(offsets[user], offsets[user + 1] - ITEMS) : offsets[user + 1]]
        if len(set(chosen)) == ITEMS:
            attention = {}
            for title, model in models.items():
                weights, _ = attention_weights(model, model.inference_tables(), histories, np.array([user]))
                attention[title] = weights[-1][0, :, -1].mean(axis=0)
            return (
                chosen,
                cooccurrence_ratio(dataset, chosen),
                {title: weights[-ITEMS - 1 : -1] for title, weights in attention.items()},
            )
    raise ValueError(f"no user has {ITEMS} different items")
