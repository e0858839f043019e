"""What SASRec and GRU4Rec share: they read a history from left to right and predict after each item."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from katrec.data.dataset import Dataset
from katrec.layers import embedding_initializer
from katrec.models.base import Batch, Context, ItemTables, RankingModel
from katrec.models.objectives import NextItem
from katrec.settings import Settings


class NextItemModel(RankingModel):
    """Predicts item t + 1 of a sequence at each position t.

    A subclass defines `hidden_states` and `targets_loss`; items are read and scored with one table.

    Args:
      settings: read are max_sequence_length (T, the items that are read) and hidden_dim.
      dataset: as in `RankingModel`.
      policy: as in `RankingModel`.
    """

    def __init__(self, settings: Settings, dataset: Dataset, policy: Any = "float32", **kwargs: Any) -> None:
        super().__init__(dataset, settings.max_sequence_length, policy, **kwargs)
        self.objective = NextItem(settings, self.tokens)
        self.items = self.add_weight(
            name="items", shape=(dataset.num_items, settings.hidden_dim), initializer=embedding_initializer()
        )

    def keyed_variables(self) -> list[tuple[tf.Variable, int, str]]:
        return [(self.items, 0, "item")]

    def item_tables(self, seed: Optional[tf.Tensor] = None, graph: Any = None) -> ItemTables:
        items = tf.convert_to_tensor(self.items)
        # Padding is read as 0.
        return ItemTables(inputs=tf.pad(items, [[0, 1], [0, 0]]), outputs=items)

    def hidden_states(
        self, inputs: tf.Tensor, tables: ItemTables, seed: Optional[tf.Tensor] = None, last_only: bool = False
    ) -> tf.Tensor:
        """Returns the state after each item, or after the last one.

        Args:
          inputs: int32[B, w], w ≤ T, right-aligned.
          tables: what `item_tables` returned.
          seed: int32[2], or None at inference.
          last_only: whether only the last state is wanted.

        Returns:
          float[B, w, q], with `last_only` float[B, 1, q].
        """
        raise NotImplementedError

    def targets_loss(
        self, hidden: tf.Tensor, batch: Batch, predicted: tf.Tensor, tables: ItemTables, context: Context
    ) -> tf.Tensor:
        """Returns the sum of the losses of this device's positions, a scalar.

        Args:
          hidden: float[b, w − 1, q], the states before the targets, which are batch.sequences[context.rows, 1:].
          batch: the whole batch.
          predicted: bool[B, w − 1], which targets count.
          tables: what `item_tables` returned.
          context: as in `loss`; its shared seed 1 is free for what is drawn.
        """
        raise NotImplementedError

    def next_item_vectors(self, histories: tf.Tensor, users: tf.Tensor, tables: ItemTables) -> tf.Tensor:
        hidden = self.hidden_states(histories[:, -self.history_length :], tables, last_only=True)
        return tf.cast(hidden[:, 0], tf.float32)

    def loss(self, batch: Batch, context: Context) -> tf.Tensor:
        """The mean over all positions of the loss of the item that comes next; see `RankingModel`."""
        examples = self.objective.examples(batch.sequences)
        tables = self.item_tables()
        hidden = self.hidden_states(examples.inputs[context.rows], tables, context.own_seed(0))
        return self.targets_loss(hidden, batch, examples.predicted, tables, context) / examples.total
