"""What KATRec and BERT4Rec share: a bidirectional transformer over item tables, the head, the Cloze loss."""

import tensorflow as tf

from katrec.data.cloze import choose_masked
from katrec.layers import (
    NextItemHead,
    PositionalEmbedding,
    SeededDropout,
    TransformerLayer,
    embedding_initializer,
)
from katrec.layers.cross_entropy import weighted_cross_entropy
from katrec.layers.seeded_dropout import fold
from katrec.models.recommender import Recommender, replica_rows


class ClozeRecommender(Recommender):
    """A sequential recommender trained on the Cloze task (Sections 3.3 and 3.4).

    A subclass defines `item_tables`, whose inputs end with the padding's and the mask token's rows.

    Args:
      num_items: |I|.
      hidden_dim: q.
      config: the run's settings: max_sequence_length, num_layers, num_heads, hidden_dropout, attention_dropout,
        positional_embedding, head_layer_norm, mask_share, last_item_share.
      policy: as in `Recommender`, of the transformer, the head and the scores.
    """

    def __init__(self, num_items, hidden_dim, config, policy="float32", **kwargs):
        # The mask token takes one of the T positions.
        super().__init__(num_items, config.max_sequence_length - 1, policy, **kwargs)
        self.max_length = config.max_sequence_length
        self.mask_share = config.mask_share
        self.last_item_share = config.last_item_share
        self.special_tokens = self.add_weight(
            name="special_tokens",
            shape=(self.tokens.count - num_items, hidden_dim),
            initializer=embedding_initializer(),
        )
        self.position = PositionalEmbedding(self.max_length, config.positional_embedding, dtype=policy)
        self.input_dropout = SeededDropout(config.hidden_dropout, dtype=policy)
        self.transformer = [
            TransformerLayer(
                config.num_heads, config.hidden_dropout, config.attention_dropout, dtype=policy, name=f"transformer_{i}"
            )
            for i in range(config.num_layers)
        ]
        self.head = NextItemHead(num_items, hidden_dim, config.head_layer_norm, dtype=policy)

    @property
    def inference_layers(self):
        return [self.position, *self.transformer, self.head]

    @property
    def item_bias(self):
        return self.head.bias

    def hidden_states(self, sequences, tables, seed=None, return_attention=False, last_only=False):
        """Returns V⁽ᴹ⁾, the hidden state of every position, or of the last one (Section 3.3.2).

        Args:
          sequences: int32[B, w], w ≤ T, right-aligned item ids, padding and mask tokens.
          tables: `ItemTables`.
          seed: int32[2], or None at inference.
          return_attention: also return the attention weights, a float[B, heads, w, w] a layer.
          last_only: whether the last layer computes the last position alone.

        Returns:
          float[B, w, q], with `last_only` float[B, 1, q].
        """
        mask = sequences != self.tokens.padding
        x = self.position(tf.gather(tables.inputs, sequences))
        x = self.input_dropout(x, seed=fold(seed, 0))
        weights = []
        for number, layer in enumerate(self.transformer, start=1):
            x = layer(
                x,
                mask,
                seed=fold(seed, number),
                return_attention=return_attention,
                last_only=last_only and number == len(self.transformer),
            )
            if return_attention:
                x, attention = x
                weights.append(attention)
        return (x, weights) if return_attention else x

    def query_vectors(self, hidden, users, tables):
        """Returns the head's vectors, float[n, q], of hidden states float[n, q] of the given users int32[n]."""
        if tables.users is not None:
            hidden = tf.concat([tf.cast(tf.gather(tables.users, users), hidden.dtype), hidden], axis=-1)
        return self.head(hidden)

    def next_item_vectors(self, histories, users, tables):
        """The vectors for position T + 1: the last T − 1 items are read, then a mask token. See `Recommender`."""
        hidden = self.hidden_states(self._with_mask(histories), tables, last_only=True)
        return tf.cast(self.query_vectors(hidden[:, 0], users, tables), tf.float32)

    def next_item_attention(self, histories, tables):
        """Returns the last layer's attention weights of position T + 1 on the items that are read.

        Args:
          histories, tables: as in `next_item_vectors`.

        Returns:
          float32[B, heads, w].
        """
        _, weights = self.hidden_states(self._with_mask(histories), tables, return_attention=True, last_only=True)
        return tf.cast(weights[-1][:, :, 0, :-1], tf.float32)

    def _with_mask(self, histories):
        masks = tf.fill([tf.shape(histories)[0], 1], self.tokens.mask)
        return tf.concat([histories, masks], axis=1)[:, -self.max_length :]

    def sequence_loss(self, sequences, users, negatives, seed, matrices=None, replica=0, num_replicas=1):
        """The Cloze loss (Section 3.4): for each sequence the mean of −log P(i_m = i_m*) over its masked positions.

        The masks and the dropout in the graph are those of the whole batch, the same for all replicas. See
        `Recommender`.
        """
        batch = tf.shape(sequences)[0]
        masked = choose_masked(sequences, self.tokens.padding, self.mask_share, self.last_item_share, fold(seed, 0))
        own = replica_rows(batch, replica, num_replicas)
        sequences, users, masked = sequences[own], users[own], masked[own]
        tables = self.item_tables(fold(seed, 1), matrices)
        hidden = self.hidden_states(tf.where(masked, self.tokens.mask, sequences), tables, fold(fold(seed, 2), replica))
        rows = tf.where(masked)[:, 0]
        vectors = self.query_vectors(tf.boolean_mask(hidden, masked), tf.gather(users, rows), tables)
        share = 1 / tf.reduce_sum(tf.cast(masked, tf.float32), axis=1)
        loss = weighted_cross_entropy(
            vectors,
            tf.cast(tables.outputs, vectors.dtype),
            self.head.bias,
            tf.boolean_mask(sequences, masked),
            tf.gather(share, rows),
        )
        return loss / tf.cast(batch, tf.float32)
