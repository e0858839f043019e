"""GRU4Rec (Hidasi et al. 2015) and GRU4Rec++ (Hidasi and Karatzoglou 2018), the paper's recurrent baselines."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import tensorflow as tf

from katrec.data.dataset import Dataset
from katrec.layers import SeededDropout, ranking_losses
from katrec.layers.cross_entropy import weighted_cross_entropy
from katrec.layers.outside import outside
from katrec.layers.seeds import fold
from katrec.models.base import Batch, Context, ItemTables
from katrec.models.next_item_model import NextItemModel
from katrec.settings import Settings


class GRU4Rec(NextItemModel):
    """Gated recurrent units over a history; a user's sequence is one session.

    Item i's score after item t is r_{i,t} = h_t · M_i + b_i, with the table M that is read as well (the "constrained
    embedding" of Hidasi and Karatzoglou 2018). Losses:

      - cross_entropy: −ln softmax(r)_{target}, over all items;
      - top1 (Hidasi et al. 2015, Section 3.1.3), its negatives the other sequences' targets at the same position;
      - top1_max, bpr_max (Hidasi and Karatzoglou 2018), their negatives these and `num_samples` items that all
        positions share, drawn with probability ∝ popularity^α.

    No item of the window itself is a negative.

    Args:
      settings: read are max_sequence_length, hidden_dim, num_layers, hidden_dropout and the loss; for the sampled
        losses also num_samples, sample_alpha, bpr_max_l2.
      dataset: as in `RankingModel`, and the items' popularity.
      policy: as in `RankingModel`, of the softmax over all items; all else is float32.
    """

    def __init__(self, settings: Settings, dataset: Dataset, policy: Any = "float32", **kwargs: Any) -> None:
        super().__init__(settings, dataset, policy, **kwargs)
        self.loss_name = self.chosen_loss(settings)
        self.l2 = settings.bpr_max_l2
        self.num_samples = settings.num_samples if self.loss_name in ("top1_max", "bpr_max") else 0
        # With α = 0 an item without interactions would have a share, too.
        weights = np.where(dataset.is_cold, 0.0, dataset.popularity().astype(np.float64) ** settings.sample_alpha)
        self.cumulative = tf.constant(np.cumsum(weights) / weights.sum(), tf.float32)
        self.bias = self.add_weight(name="bias", shape=(dataset.num_items,), initializer="zeros")
        self.dropout = SeededDropout(settings.hidden_dropout)
        self.recurrent = [
            tf.keras.layers.GRU(settings.hidden_dim, return_sequences=True, name=f"gru_{number}")
            for number in range(settings.num_layers)
        ]

    @staticmethod
    def chosen_loss(settings: Settings) -> str:
        """Returns the name of the loss that the settings choose for this model."""
        return settings.gru4rec_loss

    @property
    def inference_layers(self) -> list:
        return list(self.recurrent)

    @property
    def item_bias(self) -> tf.Tensor:
        return self.bias

    def keyed_variables(self) -> list[tuple[tf.Variable, int, str]]:
        return [*super().keyed_variables(), (self.bias, 0, "item")]

    def hidden_states(
        self, inputs: tf.Tensor, tables: ItemTables, seed: Optional[tf.Tensor] = None, last_only: bool = False
    ) -> tf.Tensor:
        mask = inputs != self.tokens.padding
        x = self.dropout(tf.gather(tables.inputs, inputs), seed=fold(seed, 0))
        for number, layer in enumerate(self.recurrent, start=1):
            x = self.dropout(layer(x, mask=mask), seed=fold(seed, number))
        return x[:, -1:] if last_only else x

    def targets_loss(
        self, hidden: tf.Tensor, batch: Batch, predicted: tf.Tensor, tables: ItemTables, context: Context
    ) -> tf.Tensor:
        predicted = predicted[context.rows]
        if self.loss_name == "cross_entropy":
            labels = tf.boolean_mask(batch.sequences[context.rows, 1:], predicted)
            vectors = tf.cast(tf.boolean_mask(hidden, predicted), self.precision)
            return weighted_cross_entropy(
                vectors,
                tf.cast(tables.outputs, self.precision),
                self.training_bias(),
                labels,
                tf.ones_like(labels, tf.float32),
            )
        scores = self._sampled_scores(tf.transpose(hidden, [1, 0, 2]), batch.sequences, tables.inputs, context)
        options = {"l2": self.l2} if self.loss_name == "bpr_max" else {}
        losses = getattr(ranking_losses, self.loss_name)(*scores, **options)
        return tf.reduce_sum(tf.boolean_mask(losses, tf.transpose(predicted)))

    def _sampled_scores(self, hidden, sequences, items, context):
        """Scores of this device's b rows, position by position.

        Returns:
          The targets' scores, float[w, b]; the negatives', float[w, b, B + num_samples]; which of those count.
        """
        bias = tf.pad(self.bias, [[0, 1]])
        targets = tf.transpose(sequences[:, 1:])
        own_targets = targets[:, context.rows]
        target_scores = tf.reduce_sum(hidden * tf.gather(items, own_targets), axis=-1) + tf.gather(bias, own_targets)
        drawn = tf.random.stateless_uniform([self.num_samples], context.shared_seed(1), alg="philox")
        shared = tf.minimum(tf.searchsorted(self.cumulative, drawn, side="right"), self.num_items - 1)
        in_batch = tf.matmul(hidden, tf.gather(items, targets), transpose_b=True) + tf.gather(bias, targets)[:, None]
        sampled = tf.einsum("wbq,sq->wbs", hidden, tf.gather(items, shared)) + tf.gather(bias, shared)
        may_be = outside(sequences[context.rows], self.num_items)
        allowed = tf.concat(
            [
                tf.transpose(tf.gather(may_be, targets, axis=1), [1, 0, 2]),
                tf.tile(tf.gather(may_be, shared, axis=1)[None], [tf.shape(targets)[0], 1, 1]),
            ],
            axis=-1,
        )
        return target_scores, tf.concat([in_batch, sampled], axis=-1), allowed


class GRU4RecPlusPlus(GRU4Rec):
    """GRU4Rec with the ranking-max losses and additional negatives; see `GRU4Rec`."""

    @staticmethod
    def chosen_loss(settings: Settings) -> str:
        return settings.gru4recpp_loss
