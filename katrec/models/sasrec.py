"""SASRec (Kang and McAuley 2018), the paper's left-to-right transformer baseline, and its later forms."""

from __future__ import annotations

from typing import Any, ClassVar, Optional

import numpy as np
import tensorflow as tf

from katrec.data.dataset import Dataset
from katrec.layers import TransformerEncoder
from katrec.layers.cross_entropy import weighted_cross_entropy
from katrec.layers.ranking_losses import binary_cross_entropy, generalized_binary_cross_entropy
from katrec.layers.transformer import last_position
from katrec.models.base import Batch, Context, ItemTables
from katrec.models.next_item_model import NextItemModel
from katrec.settings import Settings

# t of gBCE; its paper's choice.
CALIBRATION = 0.75


class SASRec(NextItemModel):
    """Self-attentive sequential recommendation (Kang and McAuley 2018, Section III).

    Each position t attends the items up to t; item i's relevance is r_{i,t} = F_t · M_i with the table M that is read
    as well (Section III-D). Several heads and their output projection are the later common form of that paper's single
    head. All positions are trained at once (Section III-E), with one sampled negative j a position,

        −Σ_t [ln σ(r_{o_t,t}) + ln(1 − σ(r_{j,t}))]

    or, as options, with the softmax over all items, or gSASRec's gBCE (Petrov and Macdonald 2023) with `num_samples`
    negatives, uniform among the items and shared by the batch.

    Args:
      settings: read are max_sequence_length, hidden_dim, num_layers, num_heads, hidden_dropout, attention_dropout,
        positional_embedding, kernel_initializer, sasrec_loss; for gBCE num_samples.
      dataset: as in `RankingModel`.
      policy: as in `RankingModel`, of the transformer and the softmax.
    """

    layer_options: ClassVar[dict[str, Any]] = {"pre_norm": True, "inner_factor": 1, "activation": "relu"}
    scaled_inputs: ClassVar[bool] = True

    def __init__(self, settings: Settings, dataset: Dataset, policy: Any = "float32", **kwargs: Any) -> None:
        super().__init__(settings, dataset, policy, **kwargs)
        self.loss_name = settings.sasrec_loss
        self.num_samples = settings.num_samples if settings.sasrec_loss == "gbce" else 0
        self.uses_negatives = settings.sasrec_loss == "binary_cross_entropy"
        self.scale = settings.hidden_dim**0.5 if self.scaled_inputs else 1.0
        self.transformer = TransformerEncoder(
            self.history_length,
            settings.num_layers,
            settings.positional_embedding,
            num_heads=settings.num_heads,
            hidden_dropout=settings.hidden_dropout,
            attention_dropout=settings.attention_dropout,
            causal=True,
            kernel_initializer=settings.kernel_initializer,
            **self.layer_options,
            dtype=policy,
            name="transformer",
        )

    @property
    def inference_layers(self) -> list:
        return [self.transformer]

    @property
    def item_bias(self) -> tf.Tensor:
        return tf.zeros([self.num_items])

    def hidden_states(
        self, inputs: tf.Tensor, tables: ItemTables, seed: Optional[tf.Tensor] = None, last_only: bool = False
    ) -> tf.Tensor:
        embeddings = tf.gather(tables.inputs, inputs) * self.scale
        positions = last_position(inputs) if last_only else None
        return self.transformer(embeddings, inputs != self.tokens.padding, seed=seed, positions=positions)

    def targets_loss(
        self, hidden: tf.Tensor, batch: Batch, predicted: tf.Tensor, tables: ItemTables, context: Context
    ) -> tf.Tensor:
        predicted = predicted[context.rows]
        vectors = tf.boolean_mask(hidden, predicted)
        targets = tf.boolean_mask(batch.sequences[context.rows, 1:], predicted)
        if self.loss_name == "cross_entropy":
            return weighted_cross_entropy(
                vectors,
                tf.cast(tables.outputs, vectors.dtype),
                self.training_bias(),
                targets,
                tf.ones_like(targets, tf.float32),
            )
        vectors = tf.cast(vectors, tf.float32)
        if self.loss_name == "gbce":
            return tf.reduce_sum(self._gbce(vectors, targets, tables.outputs, context.shared_seed(1)))
        chosen = tf.stack([targets, tf.boolean_mask(batch.negatives[context.rows, 1:], predicted)], axis=1)
        scores = tf.einsum("nq,ncq->nc", vectors, tf.gather(tables.outputs, chosen))
        return tf.reduce_sum(binary_cross_entropy(scores[:, 0], scores[:, 1]))

    def _gbce(self, vectors, targets, items, seed):
        """Returns gBCE of each target, float[n], with negatives that all share; none that is a target's own counts."""
        warm = np.flatnonzero(~self.is_cold).astype(np.int32)
        drawn = tf.random.stateless_uniform([self.num_samples], seed, maxval=len(warm), dtype=tf.int32, alg="philox")
        negatives = tf.gather(warm, drawn)
        return generalized_binary_cross_entropy(
            tf.reduce_sum(vectors * tf.gather(items, targets), axis=-1),
            tf.matmul(vectors, tf.gather(items, negatives), transpose_b=True),
            targets[:, None] != negatives,
            min(self.num_samples / (len(warm) - 1), 1.0),
            CALIBRATION,
        )


class ESASRec(SASRec):
    """eSASRec (Tikhonovich et al. 2025): SASRec with LiGR's gated layers, and the softmax instead of one negative.

    Its authors draw the softmax's negatives; here it is over all items, which catalogues of this size allow. Arguments
    as `SASRec`'s.
    """

    layer_options: ClassVar[dict[str, Any]] = {"pre_norm": True, "inner_factor": 4, "gated": True}
