"""What the transformer attends when it predicts the test items (Sections 4.2.6 and 4.2.7)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from katrec.data.dataset import Dataset
from katrec.data.sequences import recent_items
from katrec.models.base import ItemTables
from katrec.models.transformer_model import TransformerModel

BATCH_USERS = 256


def attention_weights(
    model: TransformerModel, tables: ItemTables, histories: tuple[np.ndarray, np.ndarray], users: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the attention weights of users' histories, and which positions are real.

    The last position is the one that predicts: the mask token's after the history, or the newest item's.

    Args:
      model: a KATRec or BERT4Rec of either objective.
      tables: its `inference_tables()`.
      histories: offsets and items, as `Dataset.histories` returns them.
      users: int[n].

    Returns:
      A list of float32[n, heads, w, w] (query, then key), one for each layer; and bool[n, w], false at padding.
    """
    read = recent_items(*histories, users, model.history_length, model.tokens.padding)
    sequences = model.objective.question(tf.constant(read))
    _, weights = model.hidden_states(sequences, tables, return_attention=True)
    # numpy knows no bfloat16.
    return [tf.cast(layer, tf.float32).numpy() for layer in weights], (sequences != model.tokens.padding).numpy()


def average_attention(model: TransformerModel, dataset: Dataset, positions: int) -> np.ndarray:
    """Returns the mean attention weights over the test users on the last positions of their sequences (Figure 5).

    A pair of positions is averaged over the users for whom neither is padding; a pair that no user has is NaN.

    Args:
      model: a KATRec or BERT4Rec of either objective.
      dataset: the prepared data set.
      positions: how many of the last positions, a mask token's included.

    Returns:
      float[layers, heads, positions, positions], query, then key.
    """
    users, histories, tables = np.flatnonzero(dataset.test >= 0), dataset.histories("test"), model.inference_tables()
    total, count = 0.0, np.zeros((positions, positions))
    for start in range(0, len(users), BATCH_USERS):
        weights, real = attention_weights(model, tables, histories, users[start : start + BATCH_USERS])
        missing = max(positions - real.shape[1], 0)
        real = np.pad(real, [(0, 0), (missing, 0)])[:, -positions:]
        both = real[:, :, None] & real[:, None, :]
        count += both.sum(axis=0)
        padding = [(0, 0)] * 3 + [(missing, 0)] * 2
        last = np.pad(np.stack(weights), padding)[..., -positions:, -positions:]
        total = total + np.einsum("lnhqk,nqk->lhqk", last.astype(np.float64), both)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def cooccurrence_ratio(dataset: Dataset, items: np.ndarray) -> np.ndarray:
    """Returns the share of all users whose training histories hold both items of each pair (Figure 6a).

    Args:
      dataset: the prepared data set.
      items: int[n].

    Returns:
      float[n, n].
    """
    users = np.repeat(np.arange(dataset.num_users), np.diff(dataset.offsets))
    holds = np.zeros((len(items), dataset.num_users))
    for row, item in enumerate(items):
        holds[row, users[dataset.items == item]] = 1
    return holds @ holds.T / dataset.num_users
