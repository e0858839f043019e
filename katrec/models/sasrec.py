"""SASRec (Kang and McAuley 2018), the paper's left-to-right transformer baseline."""

import tensorflow as tf

from katrec.layers import CausalTransformerLayer, PositionalEmbedding, SeededDropout
from katrec.layers.cross_entropy import weighted_cross_entropy
from katrec.layers.layer_norm import LayerNorm
from katrec.layers.ranking_losses import binary_cross_entropy
from katrec.layers.seeded_dropout import fold
from katrec.models.next_item_recommender import NextItemRecommender


class SASRec(NextItemRecommender):
    """Self-attentive sequential recommendation (Kang and McAuley 2018, Section III).

    Each position t attends the items up to t; item i's relevance is r_{i,t} = F_t · M_i with the table M that is read
    as well (Section III-D). All positions are trained at once (Section III-E), with one sampled negative j a position,

        −Σ_t [ln σ(r_{o_t,t}) + ln(1 − σ(r_{j,t}))]

    or, as an option, with the softmax over all items.

    Args:
      num_items: |I|.
      config: the run's settings: max_sequence_length, hidden_dim, num_layers, num_heads, hidden_dropout,
        attention_dropout, positional_embedding, sasrec_loss.
      policy: as in `Recommender`, of the transformer and the softmax.
    """

    def __init__(self, num_items, config, policy="float32", **kwargs):
        super().__init__(num_items, config, policy, **kwargs)
        self.loss_name = config.sasrec_loss
        self.uses_negatives = config.sasrec_loss == "binary_cross_entropy"
        self.scale = config.hidden_dim**0.5
        self.position = PositionalEmbedding(self.history_length, config.positional_embedding, dtype=policy)
        self.input_dropout = SeededDropout(config.hidden_dropout, dtype=policy)
        self.transformer = [
            CausalTransformerLayer(
                config.num_heads, config.hidden_dropout, config.attention_dropout, dtype=policy, name=f"transformer_{i}"
            )
            for i in range(config.num_layers)
        ]
        self.norm = LayerNorm(name="norm", dtype=policy)

    @property
    def inference_layers(self):
        return [self.position, *self.transformer, self.norm]

    @property
    def item_bias(self):
        return tf.zeros([self.num_items])

    def hidden_states(self, inputs, tables, seed=None, last_only=False):
        mask = inputs != self.tokens.padding
        x = self.position(tf.gather(tables.inputs, inputs) * self.scale)
        x = self.input_dropout(x, seed=fold(seed, 0))
        for number, layer in enumerate(self.transformer, start=1):
            x = layer(x, mask, seed=fold(seed, number), last_only=last_only and number == len(self.transformer))
        return self.norm(x)

    def targets_loss(self, hidden, sequences, negatives, predicted, tables, seed, own):
        predicted = predicted[own]
        vectors = tf.boolean_mask(hidden, predicted)
        targets = tf.boolean_mask(sequences[own, 1:], predicted)
        if self.loss_name == "cross_entropy":
            return weighted_cross_entropy(
                vectors,
                tf.cast(tables.outputs, vectors.dtype),
                self.item_bias,
                targets,
                tf.ones_like(targets, tf.float32),
            )
        vectors = tf.cast(vectors, tf.float32)
        chosen = tf.stack([targets, tf.boolean_mask(negatives[own, 1:], predicted)], axis=1)
        scores = tf.einsum("nq,ncq->nc", vectors, tf.gather(tables.outputs, chosen))
        return tf.reduce_sum(binary_cross_entropy(scores[:, 0], scores[:, 1]))
