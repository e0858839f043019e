"""GRU4Rec (Hidasi et al. 2015) and GRU4Rec++ (Hidasi and Karatzoglou 2018), the paper's recurrent baselines."""

import numpy as np
import tensorflow as tf

from katrec.layers import SeededDropout, ranking_losses
from katrec.layers.cross_entropy import weighted_cross_entropy
from katrec.layers.seeded_dropout import fold
from katrec.models.next_item_recommender import NextItemRecommender


class GRU4Rec(NextItemRecommender):
    """Gated recurrent units over a history; a user's sequence is one session.

    Item i's score after item t is r_{i,t} = h_t · M_i + b_i, with the table M that is read as well (the "constrained
    embedding" of Hidasi and Karatzoglou 2018). Losses:

      - cross_entropy: −ln softmax(r)_{target}, over all items;
      - top1 (Hidasi et al. 2015, Section 3.1.3), its negatives the other sequences' targets at the same position;
      - top1_max, bpr_max (Hidasi and Karatzoglou 2018), their negatives these and `num_samples` items that all
        positions share, drawn with probability ∝ popularity^α.

    No item of the window itself is a negative.

    Args:
      num_items: |I|.
      popularity: int[|I|], each item's training interactions.
      config: the run's settings: max_sequence_length, hidden_dim, num_layers, hidden_dropout; for the sampled losses
        also num_samples, sample_alpha, bpr_max_l2.
      loss: "cross_entropy", "top1", "top1_max" or "bpr_max".
      policy: as in `Recommender`, of the softmax over all items; all else is float32.
    """

    def __init__(self, num_items, popularity, config, loss, policy="float32", **kwargs):
        super().__init__(num_items, config, policy, **kwargs)
        self.loss_name = loss
        self.l2 = config.bpr_max_l2
        self.num_samples = config.num_samples if loss in ("top1_max", "bpr_max") else 0
        weights = np.asarray(popularity, np.float64) ** config.sample_alpha
        self.cumulative = tf.constant(np.cumsum(weights) / weights.sum(), tf.float32)
        self.bias = self.add_weight(name="bias", shape=(num_items,), initializer="zeros")
        self.dropout = SeededDropout(config.hidden_dropout)
        self.recurrent = [
            tf.keras.layers.GRU(config.hidden_dim, return_sequences=True, name=f"gru_{i}")
            for i in range(config.num_layers)
        ]

    @property
    def inference_layers(self):
        return list(self.recurrent)

    @property
    def item_bias(self):
        return self.bias

    def hidden_states(self, inputs, tables, seed=None, last_only=False):
        mask = inputs != self.tokens.padding
        x = self.dropout(tf.gather(tables.inputs, inputs), seed=fold(seed, 0))
        for number, layer in enumerate(self.recurrent, start=1):
            x = self.dropout(layer(x, mask=mask), seed=fold(seed, number))
        return x[:, -1:] if last_only else x

    def targets_loss(self, hidden, sequences, negatives, predicted, tables, seed, own):
        if self.loss_name == "cross_entropy":
            labels = tf.boolean_mask(sequences[own, 1:], predicted[own])
            vectors = tf.cast(tf.boolean_mask(hidden, predicted[own]), self.precision)
            return weighted_cross_entropy(
                vectors, tf.cast(tables.outputs, self.precision), self.bias, labels, tf.ones_like(labels, tf.float32)
            )
        scores = self._sampled_scores(tf.transpose(hidden, [1, 0, 2]), sequences, tables.inputs, seed, own)
        if self.loss_name == "bpr_max":
            losses = ranking_losses.bpr_max(*scores, self.l2)
        else:
            losses = getattr(ranking_losses, self.loss_name)(*scores)
        return tf.reduce_sum(tf.boolean_mask(losses, tf.transpose(predicted[own])))

    def _sampled_scores(self, hidden, sequences, items, seed, own):
        """Scores of a replica's b rows, position by position.

        Returns:
          The targets' scores, float[w, b]; the negatives', float[w, b, B + num_samples]; which of those count.
        """
        bias = tf.pad(self.bias, [[0, 1]])
        targets = tf.transpose(sequences[:, 1:])
        own_targets = targets[:, own]
        target_scores = tf.reduce_sum(hidden * tf.gather(items, own_targets), axis=-1) + tf.gather(bias, own_targets)
        shared = tf.searchsorted(self.cumulative, tf.random.stateless_uniform([self.num_samples], seed, alg="philox"))
        shared = tf.minimum(shared, self.num_items - 1)
        in_batch = tf.matmul(hidden, tf.gather(items, targets), transpose_b=True) + tf.gather(bias, targets)[:, None]
        sampled = tf.einsum("wbq,sq->wbs", hidden, tf.gather(items, shared)) + tf.gather(bias, shared)
        outside = self._outside(sequences[own])
        allowed = tf.concat(
            [
                tf.transpose(tf.gather(outside, targets, axis=1), [1, 0, 2]),
                tf.tile(tf.gather(outside, shared, axis=1)[None], [tf.shape(targets)[0], 1, 1]),
            ],
            axis=-1,
        )
        return target_scores, tf.concat([in_batch, sampled], axis=-1), allowed

    def _outside(self, sequences):
        """Returns bool[b, |I| + 1]: may an item, or padding in the last column, be a negative of each row?"""
        shape = tf.shape(sequences)
        rows = tf.repeat(tf.range(shape[0]), shape[1])
        places = tf.stack([rows, tf.reshape(sequences, [-1])], axis=1)
        own = tf.scatter_nd(places, tf.ones(tf.shape(rows)), [shape[0], self.num_items + 1])
        return tf.logical_and(own == 0, tf.range(self.num_items + 1) != self.tokens.padding)
