"""What KATRec and BERT4Rec share: a transformer over item tables, the head, the loss of its objective."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from katrec.data.dataset import Dataset
from katrec.layers import NeighbourScores, NextItemHead, TransformerEncoder, embedding_initializer
from katrec.layers.added_scores import SparseScores
from katrec.layers.cross_entropy import Negatives, weighted_cross_entropy
from katrec.layers.outside import outside
from katrec.layers.transformer import last_position
from katrec.models.base import Batch, Context, ItemTables, RankingModel
from katrec.models.objectives import OBJECTIVES, predicted_positions
from katrec.settings import Settings


class TransformerModel(RankingModel):
    """A sequential model trained on the Cloze task (Sections 3.3 and 3.4), or to predict the next item.

    A subclass defines `item_tables`, whose inputs end with the padding's and the mask token's rows, `special_tokens`.

    Args:
      settings: read are max_sequence_length, num_layers, num_heads, hidden_dropout, attention_dropout,
        positional_embedding, objective and what it reads, window_negatives, layer_norm, inner_factor, frequency_share,
        kernel_initializer, scaled_inputs, recurrent_inputs, head, head_layer_norm.
      dataset: as in `RankingModel`.
      hidden_dim: q.
      policy: as in `RankingModel`, of the transformer, the head and the scores.

    Attributes:
      objective: the `Objective`.
      neighbours: the `NeighbourScores` that a subclass gave it, or None.
    """

    def __init__(
        self, settings: Settings, dataset: Dataset, hidden_dim: int, policy: Any = "float32", **kwargs: Any
    ) -> None:
        objective = OBJECTIVES[settings.objective]
        super().__init__(dataset, settings.max_sequence_length - objective.appended, policy, **kwargs)
        self.objective = objective(settings, self.tokens)
        self.window_negatives = settings.window_negatives
        self.neighbours: Optional[NeighbourScores] = None
        self.input_scale = hidden_dim**0.5 if settings.scaled_inputs else None
        shape = (self.tokens.total - dataset.num_items, hidden_dim)
        # No position of a causal transformer reads them.
        self.special_tokens = (
            tf.zeros(shape)
            if objective.causal
            else self.add_weight(name="special_tokens", shape=shape, initializer=embedding_initializer())
        )
        self.transformer = TransformerEncoder(
            settings.max_sequence_length,
            settings.num_layers,
            settings.positional_embedding,
            num_heads=settings.num_heads,
            hidden_dropout=settings.hidden_dropout,
            attention_dropout=settings.attention_dropout,
            inner_factor=settings.inner_factor,
            pre_norm=settings.layer_norm == "pre",
            causal=objective.causal,
            frequency_share=settings.frequency_share,
            kernel_initializer=settings.kernel_initializer,
            recurrent_inputs=settings.recurrent_inputs,
            dtype=policy,
            name="transformer",
        )
        self.head = NextItemHead(dataset.num_items, hidden_dim, settings.head_layer_norm, settings.head, dtype=policy)

    @property
    def inference_layers(self) -> list:
        return [self.transformer, self.head, *([self.neighbours] if self.neighbours else [])]

    @property
    def item_bias(self) -> tf.Tensor:
        return self.head.bias

    def keyed_variables(self) -> list[tuple[tf.Variable, int, str]]:
        return [(self.head.bias, 0, "item")]

    def hidden_states(
        self,
        sequences: tf.Tensor,
        tables: ItemTables,
        seed: Optional[tf.Tensor] = None,
        return_attention: bool = False,
        positions: Optional[tf.Tensor] = None,
    ) -> Any:
        """Returns V⁽ᴹ⁾, the hidden states of positions (Section 3.3.2).

        Args:
          sequences: int32[B, w], w ≤ T, right-aligned item ids, padding and mask tokens.
          tables: what `item_tables` returned.
          seed: int32[2], or None at inference.
          return_attention: also return the attention weights, a float[B, heads, w, w] a layer, the last layer's of
            the wanted positions (query, then key).
          positions: int32[B, n], those that are wanted; the last layer computes no others. None for all.

        Returns:
          float[B, n, q].
        """
        embeddings = tf.gather(tables.inputs, sequences)
        return self.transformer(
            embeddings * self.input_scale if self.input_scale else embeddings,
            sequences != self.tokens.padding,
            seed=seed,
            return_attention=return_attention,
            positions=positions,
        )

    def query_vectors(self, hidden: tf.Tensor, users: tf.Tensor, tables: ItemTables) -> tf.Tensor:
        """Returns the head's vectors, float[n, q], of hidden states float[n, q] of the given users int32[n]."""
        if tables.users is not None:
            hidden = tf.concat([tf.cast(tf.gather(tables.users, users), hidden.dtype), hidden], axis=-1)
        return self.head(hidden)

    def next_item_vectors(self, histories: tf.Tensor, users: tf.Tensor, tables: ItemTables) -> tf.Tensor:
        """The vectors that score the item after the history's last `history_length`. See `RankingModel`."""
        question = self._question(histories)
        hidden = self.hidden_states(question, tables, positions=last_position(question))
        return tf.cast(self.query_vectors(hidden[:, 0], users, tables), tf.float32)

    def next_item_attention(self, histories: tf.Tensor, tables: ItemTables) -> tf.Tensor:
        """Returns the last layer's attention weights of the position that predicts on the items that are read.

        Args:
          histories: as in `next_item_vectors`.
          tables: as there.

        Returns:
          float32[B, heads, w].
        """
        question = self._question(histories)
        _, weights = self.hidden_states(question, tables, return_attention=True, positions=last_position(question))
        num_read = tf.shape(question)[1] - self.objective.appended
        return tf.cast(weights[-1][:, :, 0, :num_read], tf.float32)

    def neighbour_scores(self, vectors: tf.Tensor, histories: tf.Tensor, tables: ItemTables) -> Optional[SparseScores]:
        """The neighbours of the history's last items. See `RankingModel`."""
        if self.neighbours is None:
            return None
        return self.neighbours(vectors, self._question(histories), edges=tables.edges).sparse()

    def _question(self, histories):
        return self.objective.question(histories[:, -self.history_length :])

    def loss(self, batch: Batch, context: Context) -> tf.Tensor:
        """The weighted mean of −log P(i) over what the objective predicts of the batch's sequences.

        Masks and the dropout in the graph are those of the whole batch, the same on all devices. See `RankingModel`.
        """
        examples = self.objective.examples(batch.sequences, context.shared_seed(0))
        inputs, labels, predicted, weights = (one[context.rows] for one in examples[:-1])
        windows, users = batch.sequences[context.rows], batch.users[context.rows]
        tables = self.item_tables(context.shared_seed(1), context.graph)
        # A causal model predicts at all positions but padding, the paper's at the masked ones alone.
        positions, counted = (None, predicted) if self.objective.causal else predicted_positions(predicted)
        hidden = self.hidden_states(inputs, tables, context.own_seed(2), positions=positions)
        rows = tf.where(predicted)[:, 0]
        vectors = self.query_vectors(tf.boolean_mask(hidden, counted), tf.gather(users, rows), tables)
        labels, weights = tf.boolean_mask(labels, predicted), tf.gather(weights, rows)
        loss = weighted_cross_entropy(
            vectors,
            tf.cast(tables.outputs, vectors.dtype),
            self.training_bias(),
            labels,
            weights,
            self.neighbours(vectors, inputs, predicted, windows=windows) if self.neighbours else None,
            None if self.window_negatives else Negatives(outside(windows, self.num_items)[:, :-1], rows),
        )
        return (loss + self.auxiliary_loss(vectors, labels, weights)) / examples.total

    def auxiliary_loss(self, vectors: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Returns what is added to the sum of the items' losses, a scalar; nothing here.

        Args:
          vectors: those that score the items, float[n, q].
          labels: the items, int32[n].
          weights: float32[n].
        """
        return tf.constant(0.0)
