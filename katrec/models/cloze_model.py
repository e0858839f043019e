"""What KATRec and BERT4Rec share: a bidirectional transformer over item tables, the head, the Cloze loss."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from katrec.layers import NextItemHead, TransformerEncoder, embedding_initializer
from katrec.layers.cross_entropy import weighted_cross_entropy
from katrec.models.base import Batch, Context, ItemTables, RankingModel
from katrec.models.masking import choose_masked
from katrec.settings import Settings


class ClozeModel(RankingModel):
    """A sequential model trained on the Cloze task (Sections 3.3 and 3.4).

    A subclass defines `item_tables`, whose inputs end with the padding's and the mask token's rows, `special_tokens`.

    Args:
      settings: read are max_sequence_length, num_layers, num_heads, hidden_dropout, attention_dropout,
        positional_embedding, head_layer_norm, mask_share, last_item_share.
      num_items: |I|.
      hidden_dim: q.
      policy: as in `RankingModel`, of the transformer, the head and the scores.
    """

    def __init__(
        self, settings: Settings, num_items: int, hidden_dim: int, policy: Any = "float32", **kwargs: Any
    ) -> None:
        # The mask token takes one of the T positions.
        super().__init__(num_items, settings.max_sequence_length - 1, policy, **kwargs)
        self.max_length = settings.max_sequence_length
        self.mask_share = settings.mask_share
        self.last_item_share = settings.last_item_share
        self.special_tokens = self.add_weight(
            name="special_tokens",
            shape=(self.tokens.total - num_items, hidden_dim),
            initializer=embedding_initializer(),
        )
        self.transformer = TransformerEncoder(
            self.max_length,
            settings.num_layers,
            settings.positional_embedding,
            num_heads=settings.num_heads,
            hidden_dropout=settings.hidden_dropout,
            attention_dropout=settings.attention_dropout,
            dtype=policy,
            name="transformer",
        )
        self.head = NextItemHead(num_items, hidden_dim, settings.head_layer_norm, dtype=policy)

    @property
    def inference_layers(self) -> list:
        return [self.transformer, self.head]

    @property
    def item_bias(self) -> tf.Tensor:
        return self.head.bias

    def hidden_states(
        self,
        sequences: tf.Tensor,
        tables: ItemTables,
        seed: Optional[tf.Tensor] = None,
        return_attention: bool = False,
        last_only: bool = False,
    ) -> Any:
        """Returns V⁽ᴹ⁾, the hidden state of every position, or of the last one (Section 3.3.2).

        Args:
          sequences: int32[B, w], w ≤ T, right-aligned item ids, padding and mask tokens.
          tables: what `item_tables` returned.
          seed: int32[2], or None at inference.
          return_attention: also return the attention weights, a float[B, heads, w, w] a layer.
          last_only: whether the last layer computes the last position alone.

        Returns:
          float[B, w, q], with `last_only` float[B, 1, q].
        """
        return self.transformer(
            tf.gather(tables.inputs, sequences),
            sequences != self.tokens.padding,
            seed=seed,
            return_attention=return_attention,
            last_only=last_only,
        )

    def query_vectors(self, hidden: tf.Tensor, users: tf.Tensor, tables: ItemTables) -> tf.Tensor:
        """Returns the head's vectors, float[n, q], of hidden states float[n, q] of the given users int32[n]."""
        if tables.users is not None:
            hidden = tf.concat([tf.cast(tf.gather(tables.users, users), hidden.dtype), hidden], axis=-1)
        return self.head(hidden)

    def next_item_vectors(self, histories: tf.Tensor, users: tf.Tensor, tables: ItemTables) -> tf.Tensor:
        """The vectors for position T + 1: the last T − 1 items are read, then a mask token. See `RankingModel`."""
        hidden = self.hidden_states(self._with_mask(histories), tables, last_only=True)
        return tf.cast(self.query_vectors(hidden[:, 0], users, tables), tf.float32)

    def next_item_attention(self, histories: tf.Tensor, tables: ItemTables) -> tf.Tensor:
        """Returns the last layer's attention weights of position T + 1 on the items that are read.

        Args:
          histories: as in `next_item_vectors`.
          tables: as there.

        Returns:
          float32[B, heads, w].
        """
        _, weights = self.hidden_states(self._with_mask(histories), tables, return_attention=True, last_only=True)
        return tf.cast(weights[-1][:, :, 0, :-1], tf.float32)

    def _with_mask(self, histories):
        masks = tf.fill([tf.shape(histories)[0], 1], self.tokens.mask)
        return tf.concat([histories, masks], axis=1)[:, -self.max_length :]

    def loss(self, batch: Batch, context: Context) -> tf.Tensor:
        """The Cloze loss (Section 3.4): for each sequence the mean of −log P(i_m = i_m*) over its masked positions.

        The masks and the dropout in the graph are those of the whole batch, the same on all devices. See
        `RankingModel`.
        """
        masked = choose_masked(
            batch.sequences, self.tokens.padding, self.mask_share, self.last_item_share, context.shared_seed(0)
        )[context.rows]
        sequences, users = batch.sequences[context.rows], batch.users[context.rows]
        tables = self.item_tables(context.shared_seed(1), context.graph)
        hidden = self.hidden_states(tf.where(masked, self.tokens.mask, sequences), tables, context.own_seed(2))
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
        return loss / tf.cast(tf.shape(batch.sequences)[0], tf.float32)
