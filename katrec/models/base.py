"""What training, evaluation and export ask of every model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from katrec.data.collaborative_graph import CollaborativeGraph
from katrec.data.dataset import Dataset
from katrec.data.sequences import tokens_of
from katrec.layers.added_scores import SparseScores, with_added
from katrec.layers.neighbour_scores import ItemEdges
from katrec.layers.seeds import fold


class ItemTables(NamedTuple):
    """The embeddings that sequences are read and scored with; computed once a training step or once an evaluation.

    Attributes:
      inputs: what sequences are read with, float[|I| + special tokens, q]; None for a model that reads none.
      outputs: what the next item's vectors are multiplied with, float[|I|, q].
      users: one vector a user, float[users, c], for a model that knows its users; else None.
      edges: the item–item edges of a model with `neighbour_scores`; else None.
      bias: what is added to each item's score, float32[|I|]; of `inference_tables` alone.
    """

    inputs: Optional[tf.Tensor]
    outputs: tf.Tensor
    users: Optional[tf.Tensor] = None
    edges: Optional[ItemEdges] = None
    bias: Any = None


class Batch(NamedTuple):
    """What an iteration is trained on, the same on all devices.

    Attributes:
      sequences: int32[B, w], right-aligned windows, padding before them; w is at most `history_length` + 1.
      users: int32[B], whose windows they are.
      negatives: int32[B, w], for each position an item outside the user's history; int32[B, 0] for a model that uses
        none.
      triplets: int32[kg_steps, n, 4], columns h, r, t, t′; int32[0, 0, 4] for a model without a graph.
    """

    sequences: tf.Tensor
    users: tf.Tensor
    negatives: tf.Tensor
    triplets: tf.Tensor


class Context(NamedTuple):
    """The circumstances of one device's part of a step.

    Attributes:
      seed: int32[2]; all that is random is a function of it.
      rows: which rows of the batch are this device's, a slice.
      device: its number, from 0.
      graph: what `graph_matrices` returned since the last `refresh_attention`; made in the step where it is None.
    """

    seed: tf.Tensor
    rows: slice
    device: Any = 0
    graph: Any = None

    def shared_seed(self, part: int) -> tf.Tensor:
        """Returns the seed of part `part` of the computation, the same on all devices."""
        return fold(self.seed, part)

    def own_seed(self, part: int) -> tf.Tensor:
        """Returns the seed of part `part` of the computation, another on each device."""
        return fold(fold(self.seed, part), self.device)


class TrainedModel(tf.keras.Model):
    """A model that has a loss; a subclass defines `loss`.

    Args:
      num_items: |I|.
      history_length: how many of a history's last items are read.
      policy: a `tf.keras.mixed_precision.Policy`, or its name, for the matrix products; the variables, the graph and
        all that leaves the model are float32.

    Attributes:
      precision: the type of the matrix products: "float32", "bfloat16" or "float16".
      uses_negatives: whether `loss` wants an item outside the user's history for each position.
      tokens: what stands in sequences beside the items.
    """

    uses_negatives = False

    def __init__(self, num_items: int, history_length: int, policy: Any = "float32", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.precision = tf.keras.mixed_precision.Policy(getattr(policy, "name", policy)).compute_dtype
        self.num_items = num_items
        self.history_length = history_length
        self.tokens = tokens_of(num_items)

    @property
    def graph(self) -> Optional[CollaborativeGraph]:
        """What its TransR loss is trained on; None for a model without a knowledge graph."""
        return None

    def loss(self, batch: Batch, context: Context) -> tf.Tensor:
        """Returns one device's share of the batch's loss, a scalar; the shares of all devices add up to it.

        Args:
          batch: the whole batch; its triplets are not read.
          context: which part of it is this device's, and the seed.
        """
        raise NotImplementedError

    @property
    def sequence_variables(self) -> list:
        """The variables that `loss` trains."""
        return self.trainable_variables

    @property
    def triplet_variables(self) -> list:
        """The variables that the TransR loss trains; none for a model without a knowledge graph."""
        return []

    def graph_matrices(self) -> Any:
        """Returns what `item_tables` needs of the graph and stays the same between two refreshes; nothing here."""
        return None  # noqa: RET501 (AutoGraph cannot read a body that is a docstring alone)


class RankingModel(TrainedModel):
    """A model that scores items as the next one of a history.

    A subclass is called with the run's settings, a `Dataset` and a precision policy, and defines `inference_layers`,
    `item_tables`, `item_bias`, `next_item_vectors` and `loss`.

    Args:
      dataset: its number of items and its cold items are read.
      history_length, policy: as in `TrainedModel`.

    Attributes:
      describes_cold_items: whether its tables say something of an item without interactions.
      is_cold: which items are cold, bool[|I|].
    """

    describes_cold_items = False

    def __init__(self, dataset: Dataset, history_length: int, policy: Any = "float32", **kwargs: Any) -> None:
        super().__init__(dataset.num_items, history_length, policy, **kwargs)
        self.is_cold = dataset.is_cold
        self._has_cold = len(dataset.cold) > 0

    @property
    def inference_layers(self) -> list:
        """The layers that `next_item_vectors` uses."""
        raise NotImplementedError

    @property
    def item_bias(self) -> tf.Tensor:
        """b_O as it is trained, float32[|I|]; a cold item's is not."""
        raise NotImplementedError

    def training_bias(self) -> tf.Tensor:
        """Returns b_O for a softmax of the model's own loss, float32[|I|]: −∞ for cold items, whose P is 0."""
        return tf.where(self.is_cold, -np.inf, self.item_bias) if self._has_cold else self.item_bias

    def item_tables(self, seed: Optional[tf.Tensor] = None, graph: Any = None) -> ItemTables:
        """Returns the tables of the present weights.

        Args:
          seed: the dropout's, int32[2]; None at inference.
          graph: as in `Context`.
        """
        raise NotImplementedError

    def inference_tables(self) -> ItemTables:
        """Returns the tables for scoring: without dropout, the outputs in float32, so that few scores are equal.

        A cold item has the mean bias of the others. A model that knows items by their interactions alone has a zero
        vector for it.
        """
        tables = self.item_tables()
        tables = tables._replace(outputs=tf.cast(tables.outputs, tf.float32), bias=tf.convert_to_tensor(self.item_bias))
        if not self._has_cold:
            return tables
        mean = tf.reduce_mean(tf.boolean_mask(tables.bias, ~self.is_cold))
        tables = tables._replace(bias=tf.where(self.is_cold, mean, tables.bias))
        if self.describes_cold_items:
            return tables
        outputs = tf.where(self.is_cold[:, None], 0.0, tables.outputs)
        inputs = tables.inputs
        if inputs is not None:
            unknown = np.pad(self.is_cold, (0, inputs.shape[0] - self.num_items))
            inputs = tf.where(unknown[:, None], tf.zeros([], inputs.dtype), inputs)
        return tables._replace(inputs=inputs, outputs=outputs)

    def next_item_vectors(self, histories: tf.Tensor, users: tf.Tensor, tables: ItemTables) -> tf.Tensor:
        """Returns the vectors whose products with `tables.outputs`, plus `tables.bias`, are the next item's scores.

        Args:
          histories: int32[B, w], right-aligned item ids, padding before them.
          users: int32[B].
          tables: what `item_tables` or `inference_tables` returned.

        Returns:
          float32[B, q].
        """
        raise NotImplementedError

    def neighbour_scores(self, vectors: tf.Tensor, histories: tf.Tensor, tables: ItemTables) -> Optional[SparseScores]:
        """Returns what is added to some items' scores beside those products; None where there is nothing.

        Args:
          vectors: what `next_item_vectors` returned for the histories.
          histories: as there.
          tables: as there.
        """
        return None  # noqa: RET501 (AutoGraph cannot read a body that is a docstring alone)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Returns every item's logit as the next item, float32[B, |I|].

        Args:
          inputs: histories int32[B, w] and users int32[B] as in `next_item_vectors`.
        """
        tables = self.inference_tables()
        vectors = self.next_item_vectors(*inputs, tables)
        added = self.neighbour_scores(vectors, inputs[0], tables)
        return all_scores(vectors, tables.outputs, tables.bias, added)

    def keyed_variables(self) -> list[tuple[tf.Variable, int, str]]:
        """Returns the variables with a row for each item, user, … : the variable, the axis, what its places stand for.

        That is "item", "user", "attribute" (an entity that is no item), "node" or "relation" of the collaborative
        graph, or "edge" (a relation of `katrec.data.item_edges`). All others are of one shape on all data sets.
        """
        raise NotImplementedError

    def start_new_rows(self, is_new: Mapping[str, np.ndarray]) -> None:
        """Gives what `keyed_variables` stand for values where an earlier model had none; here the initial ones stay.

        Args:
          is_new: {what: which of its places are new, bool[…]}.
        """

    def refresh_attention(self) -> None:
        """Recomputes the graph attention, where there is one."""


def all_scores(
    vectors: tf.Tensor, items: tf.Tensor, bias: tf.Tensor, added: Optional[SparseScores] = None
) -> tf.Tensor:
    """Returns every item's score, float32[n, |I|].

    Args:
      vectors: of `next_item_vectors`, float32[n, q].
      items: the tables' outputs, float32[|I|, q].
      bias: b_O, float32[|I|].
      added: of `neighbour_scores`.
    """
    return with_added(tf.matmul(vectors, items, transpose_b=True) + bias, added)
