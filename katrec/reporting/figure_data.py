"""What Figures 4 to 6 show, computed from finished runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from katrec.data.dataset import Dataset
from katrec.evaluation.attention import attention_weights, average_attention, cooccurrence_ratio
from katrec.models.transformer_model import TransformerModel
from katrec.reporting.finished import Finished, user_values

POSITIONS = 15
ITEMS = 6


def group_metric(runs: Sequence[Finished], members: Sequence[np.ndarray], metric: str) -> np.ndarray:
    """Returns a sampled metric's mean over each group's users and over the runs, float[groups]."""
    values = user_values(runs, "sampled", metric)
    return np.array([values[inside].mean() for inside in members])


def figure5(models: Mapping[str, TransformerModel], dataset: Dataset) -> dict[str, np.ndarray]:
    """Returns {title: float[layers, heads, 15, 15]} of {title: model}."""
    return {title: average_attention(model, dataset, POSITIONS) for title, model in models.items()}


def figure6(
    models: Mapping[str, TransformerModel], dataset: Dataset, seed: int
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Returns one user's last items, their co-occurrence and the last position's attention to them.

    Args:
      models: {title: model}.
      dataset: the prepared data set.
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
                read = weights[-1].shape[-1] - model.objective.appended
                attention[title] = weights[-1][0, :, -1, :read].mean(axis=0)
            return (
                chosen,
                cooccurrence_ratio(dataset, chosen),
                {title: weights[-ITEMS:] for title, weights in attention.items()},
            )
    raise ValueError(f"no user has {ITEMS} different items")
