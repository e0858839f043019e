"""What SASRec and GRU4Rec share: they read a history from left to right and predict after each item."""

import tensorflow as tf

from katrec.layers import embedding_initializer
from katrec.layers.seeded_dropout import fold
from katrec.models.recommender import ItemTables, Recommender, replica_rows


class NextItemRecommender(Recommender):
    """Predicts item t + 1 of a sequence at each position t.

    A subclass defines `hidden_states` and `targets_loss`; items are read and scored with one table.

    Args:
      num_items: |I|.
      config: the run's settings: max_sequence_length (T, the items that are read), hidden_dim.
      policy: as in `Recommender`.
    """

    def __init__(self, num_items, config, policy="float32", **kwargs):
        super().__init__(num_items, config.max_sequence_length, policy, **kwargs)
        self.items = self.add_weight(
            name="items", shape=(num_items, config.hidden_dim), initializer=embedding_initializer()
        )

    def item_tables(self, seed=None, matrices=None):
        items = tf.convert_to_tensor(self.items)
        # Padding is read as 0.
        return ItemTables(inputs=tf.pad(items, [[0, 1], [0, 0]]), outputs=items)

    def hidden_states(self, inputs, tables, seed=None, last_only=False):
        """Returns the state after each item, or after the last one.

        Args:
          inputs: int32[B, w], w ≤ T, right-aligned.
          tables: `ItemTables`.
          seed: int32[2], or None at inference.
          last_only: whether only the last state is wanted.

        Returns:
          float[B, w, q], with `last_only` float[B, 1, q].
        """
        raise NotImplementedError

    def targets_loss(self, hidden, sequences, negatives, predicted, tables, seed, own):
        """Returns the sum of the losses of one replica's positions, a scalar.

        Args:
          hidden: float[b, w − 1, q], the states before the targets, which are sequences[:, 1:].
          sequences, negatives: as in `sequence_loss`, of the whole batch.
          predicted: bool[B, w − 1], which targets count.
          tables: `ItemTables`.
          seed: int32[2], the same for all replicas.
          own: the replica's rows, a slice.
        """
        raise NotImplementedError

    def next_item_vectors(self, histories, users, tables):
        hidden = self.hidden_states(histories[:, -self.history_length :], tables, last_only=True)
        return tf.cast(hidden[:, 0], tf.float32)

    def sequence_loss(self, sequences, users, negatives, seed, matrices=None, replica=0, num_replicas=1):
        """The mean over all positions of the loss of the item that comes next; see `Recommender`."""
        inputs = sequences[:, :-1]
        predicted = inputs != self.tokens.padding
        own = replica_rows(tf.shape(sequences)[0], replica, num_replicas)
        tables = self.item_tables()
        hidden = self.hidden_states(inputs[own], tables, fold(fold(seed, 0), replica))
        loss = self.targets_loss(hidden, sequences, negatives, predicted, tables, fold(seed, 1), own)
        return loss / tf.cast(tf.maximum(tf.math.count_nonzero(predicted), 1), tf.float32)
