"""What training, evaluation and export ask of every model."""

from typing import NamedTuple, Optional

import tensorflow as tf

from katrec.data.sequences import tokens_of


class ItemTables(NamedTuple):
    """The embeddings that sequences are read and scored with; computed once a training step or once an evaluation.

    Attributes:
      inputs: what sequences are read with, float[|I| + special tokens, q]; None for a model that reads none.
      outputs: what the next item's vectors are multiplied with, float[|I|, q].
      users: one vector a user, float[users, c], for a model that knows its users; else None.
    """

    inputs: Optional[tf.Tensor]
    outputs: tf.Tensor
    users: Optional[tf.Tensor] = None


class Recommender(tf.keras.Model):
    """A model that scores items as the next one of a history.

    A subclass defines `item_tables`, `item_bias`, `next_item_vectors` and `sequence_loss`.

    Args:
      num_items: |I|.
      history_length: how many of a history's last items are read.
      policy: a `tf.keras.mixed_precision.Policy`, or its name, for the matrix products; the variables, the graph and
        all that leaves the model are float32.

    Attributes:
      precision: the type of the matrix products: "float32", "bfloat16" or "float16".
      uses_negatives: whether `sequence_loss` wants an item outside the user's history for each position.
    """

    uses_negatives = False

    def __init__(self, num_items, history_length, policy="float32", **kwargs):
        super().__init__(**kwargs)
        self.precision = tf.keras.mixed_precision.Policy(getattr(policy, "name", policy)).compute_dtype
        self.num_items = num_items
        self.history_length = history_length
        self.tokens = tokens_of(num_items)

    @property
    def inference_layers(self):
        """The layers that `next_item_vectors` uses; a list."""
        raise NotImplementedError

    @property
    def item_bias(self):
        """b_O, what is added to each item's score, float32[|I|]."""
        raise NotImplementedError

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

    def next_item_vectors(self, histories, users, tables):
        """Returns the vectors whose products with `tables.outputs`, plus `item_bias`, are the next item's scores.

        Args:
          histories: int32[B, w], right-aligned item ids, padding before them.
          users: int32[B].
          tables: `ItemTables`.

        Returns:
          float32[B, q].
        """
        raise NotImplementedError

    def call(self, inputs):
        """Returns every item's logit as the next item, float32[B, |I|].

        Args:
          inputs: histories int32[B, w] and users int32[B] as in `next_item_vectors`.
        """
        tables = self.inference_tables()
        return tf.matmul(self.next_item_vectors(*inputs, tables), tables.outputs, transpose_b=True) + self.item_bias

    def sequence_loss(self, sequences, users, negatives, seed, matrices=None, replica=0, num_replicas=1):
        """The loss of a batch of windows.

        Args:
          sequences: int32[B, w], right-aligned, w at most `history_length` + 1.
          users: int32[B].
          negatives: int32[B, w], for each position an item outside the user's history; of no columns where the model
            does not use them.
          seed: int32[2]; all that is random is a function of it.
          matrices: as in `item_tables`.
          replica, num_replicas: which part of the batch is this device's.

        Returns:
          A scalar: this replica's share of the batch's loss; the shares add up to it.
        """
        raise NotImplementedError

    @property
    def sequence_variables(self):
        """The variables that `sequence_loss` trains."""
        return self.trainable_variables

    @property
    def triplet_variables(self):
        """The variables that `triplet_loss` trains; none for a model without a knowledge graph."""
        return []

    def refresh_attention(self):
        """Recomputes the graph attention, where there is one."""

    def graph_matrices(self):
        """Returns what `item_tables` needs of the graph and stays the same between two refreshes; nothing here."""
        return None  # noqa: RET501 (AutoGraph cannot read a body that is a docstring alone)


def replica_rows(batch, replica, num_replicas):
    """Returns which of `batch` rows are a replica's, as a slice."""
    return slice(replica * batch // num_replicas, (replica + 1) * batch // num_replicas)
