"""What KATRec and BERT4Rec share: a bidirectional transformer over item tables, the head, the Cloze loss."""

from typing import NamedTuple, Optional

import tensorflow as tf

from katrec.data.cloze import choose_masked
from katrec.data.sequences import tokens_of
from katrec.layers import (
    NextItemHead,
    PositionalEmbedding,
    SeededDropout,
    TransformerLayer,
    embedding_initializer,
)
from katrec.layers.cross_entropy import weighted_cross_entropy
from katrec.layers.seeded_dropout import fold


class ItemTables(NamedTuple):
    """The embeddings that sequences are read and scored with; computed once a training step or once an evaluation.

    Attributes:
      inputs: what the transformer reads, float[|I| + 2, q]; the last rows are the padding and the mask token.
      outputs: what the head's vectors are multiplied with, float[|I|, q].
      users: e_u* for explicit user modelling, float[users, q], or None.
    """

    inputs: tf.Tensor
    outputs: tf.Tensor
    users: Optional[tf.Tensor] = None


class ClozeRecommender(tf.keras.Model):
    """A sequential recommender trained on the Cloze task (Sections 3.3 and 3.4).

    A subclass defines `item_tables`.

    Args:
      num_items: |I|.
      hidden_dim: q.
      config: the run's settings: max_sequence_length, num_layers, num_heads, hidden_dropout, attention_dropout,
        positional_embedding, head_layer_norm, mask_share, last_item_share.
      policy: a `tf.keras.mixed_precision.Policy` for the transformer, the head and the scores; the variables, the
        graph and all that leaves the model are float32.
    """

    def __init__(self, num_items, hidden_dim, config, policy="float32", **kwargs):
        super().__init__(**kwargs)
        self.num_items = num_items
        self.tokens = tokens_of(num_items)
        self.max_length = config.max_sequence_length
        self.mask_share = config.mask_share
        self.last_item_share = config.last_item_share
        self.special_tokens = self.add_weight(
            name="special_tokens", shape=(self.tokens.count - num_items, hidden_dim),
            initializer=embedding_initializer(),
        )
        self.position = PositionalEmbedding(self.max_length, config.positional_embedding, dtype=policy)
        self.input_dropout = SeededDropout(config.hidden_dropout, dtype=policy)
        self.transformer = [
            TransformerLayer(config.num_heads, config.hidden_dropout, config.attention_dropout, dtype=policy,
                             name=f"transformer_{i}")
            for i in range(config.num_layers)
        ]
        self.head = NextItemHead(num_items, hidden_dim, config.head_layer_norm, dtype=policy)

    @property
    def precision(self):
        """The type of the matrix products: "float32", "bfloat16" or "float16"."""
        return self.head.compute_dtype

    def item_tables(self, seed=None, matrices=None):
        """Returns `ItemTables`.

        Args:
          seed: the dropout's, int32[2]; None at inference.
          matrices: what `graph_matrices` returned since the last `refresh_attention`; made here where not given.
        """
        raise NotImplementedError

    def inference_tables(self):
        """Returns `ItemTables` for scoring: without dropout, the outputs in float32, so that few scores are equal."""
        tables = self.item_tables()
        return tables._replace(outputs=tf.cast(tables.outputs, tf.float32))

    @property
    def triplet_variables(self):
        """The variables that `triplet_loss` trains; none for a model without a knowledge graph."""
        return []

    @property
    def sequence_variables(self):
        """The variables that `sequence_loss` trains."""
        return self.trainable_variables

    def refresh_attention(self):
        """Recomputes the graph attention, where there is one."""

    def graph_matrices(self):
        """Returns what `item_tables` needs of the graph and stays the same between two refreshes; nothing here."""

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
            x = layer(x, mask, seed=fold(seed, number), return_attention=return_attention,
                      last_only=last_only and number == len(self.transformer))
            if return_attention:
                x, attention = x
                weights.append(attention)
        return (x, weights) if return_attention else x

    def query_vectors(self, hidden, users, tables):
        """Returns the head's vectors, float[n, q], of hidden states float[n, q] of the given users int32[n]."""
        if tables.users is not None:
            hidden = tf.concat([tf.gather(tables.users, users), hidden], axis=-1)
        return self.head(hidden)

    def next_item_vectors(self, histories, users, tables):
        """Returns the vectors for position T + 1: the last T − 1 items are read, then a mask token.

        Args:
          histories: int32[B, w], right-aligned.
          users: int32[B].
          tables: `ItemTables`.

        Returns:
          float32[B, q]; `self.head.logits` turns them into scores.
        """
        masks = tf.fill([tf.shape(histories)[0], 1], self.tokens.mask)
        sequences = tf.concat([histories, masks], axis=1)[:, -self.max_length:]
        vectors = self.query_vectors(self.hidden_states(sequences, tables, last_only=True)[:, 0], users, tables)
        return tf.cast(vectors, tf.float32)

    def call(self, inputs):
        """Returns every item's logit as the next item, float[B, |I|].

        Args:
          inputs: histories int32[B, w] and users int32[B] as in `next_item_vectors`.
        """
        histories, users = inputs
        tables = self.inference_tables()
        return self.head.logits(self.next_item_vectors(histories, users, tables), tables.outputs)

    def sequence_loss(self, sequences, users, seed, matrices=None, replica=0, num_replicas=1):
        """The Cloze loss (Section 3.4): for each sequence the mean of −log P(i_m = i_m*) over its masked positions.

        Args:
          sequences: int32[B, w], right-aligned.
          users: int32[B].
          seed: int32[2]; masks and dropout are functions of it.
          matrices: as in `item_tables`.
          replica, num_replicas: which part of the batch is this device's. The masks and the dropout in the graph are
            those of the whole batch, the same for all.

        Returns:
          A scalar: the sum over this replica's sequences, divided by B.
        """
        batch = tf.shape(sequences)[0]
        masked = choose_masked(sequences, self.tokens.padding, self.mask_share, self.last_item_share, fold(seed, 0))
        own = slice(replica * batch // num_replicas, (replica + 1) * batch // num_replicas)
        sequences, users, masked = sequences[own], users[own], masked[own]
        tables = self.item_tables(fold(seed, 1), matrices)
        hidden = self.hidden_states(
            tf.where(masked, self.tokens.mask, sequences), tables, fold(fold(seed, 2), replica)
        )
        rows = tf.where(masked)[:, 0]
        vectors = self.query_vectors(tf.boolean_mask(hidden, masked), tf.gather(users, rows), tables)
        share = 1 / tf.reduce_sum(tf.cast(masked, tf.float32), axis=1)
        loss = weighted_cross_entropy(
            vectors, tf.cast(tables.outputs, vectors.dtype), self.head.bias, tf.boolean_mask(sequences, masked),
            tf.gather(share, rows)
        )
        return loss / tf.cast(batch, tf.float32)
