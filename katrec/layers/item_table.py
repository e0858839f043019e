"""The sequential module's own item embeddings, V* where it is not the graph's (Section 3.3.3)."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import tensorflow as tf

from katrec.layers.cross_entropy import weighted_log_sum_exp
from katrec.layers.initializers import embedding_initializer
from katrec.layers.packing import packed, unpacked
from katrec.layers.seeded_dropout import SeededDropout
from katrec.layers.sparse_products import FixedMatrix


@tf.keras.saving.register_keras_serializable(package="katrec")
class ItemTable(tf.keras.layers.Layer):
    """A row for each item. Beyond the paper, rows that are left out at random, and vectors that items share.

    With `entities` A_i of an item i, those that a triplet joins to it and that are no items themselves,

        V*_i = Dropout(v_i) + (1 / |A_i|) Σ_{a ∈ A_i} u_a

    where the dropout leaves out whole rows: what the other rows and the shared vectors say of such an item must serve.
    The row of a cold item, one that nobody has interacted with, is 0: nothing has trained it.

    `entity_loss` asks a hidden state v for the entities of the item that comes next,

        −(1 / |A_i|) Σ_{a ∈ A_i} ln P(a),   P = softmax(v uᵀ + b)

    Args:
      num_items: |I|.
      dim: q.
      dropout: share of the rows that are left out in a step; the others are scaled by 1 / (1 − dropout).
      items, entities: int[P], the pairs (i, a), each once; none by default.
      num_entities: how many entities there are.
      predicts_entities: whether there is b, which `entity_loss` needs.
      cold: int[C], the cold items; none by default.

    Input:
      the dropout's seed, int32[2], or None at inference.

    Output:
      V*, float32[|I|, q].

    Raises:
      ValueError: a pair is outside the sizes.
    """

    def __init__(
        self,
        num_items: int,
        dim: int,
        dropout: float = 0.0,
        items: Optional[np.ndarray] = None,
        entities: Optional[np.ndarray] = None,
        num_entities: int = 0,
        predicts_entities: bool = False,
        cold: Optional[np.ndarray] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_items, self.dim, self.dropout, self.num_entities = num_items, dim, dropout, num_entities
        self.items = np.zeros(0, np.int32) if items is None else items
        self.entities = np.zeros(0, np.int32) if entities is None else entities
        if self.items.max(initial=-1) >= num_items or self.entities.max(initial=-1) >= num_entities:
            raise ValueError(f"a pair is not of {num_items} items and {num_entities} entities")
        self.cold = np.zeros(0, np.int32) if cold is None else cold
        self.is_cold = np.isin(np.arange(num_items), self.cold)
        self.dropout_layer = SeededDropout(dropout)
        self.rows = self.add_weight(name="rows", shape=(num_items, dim), initializer=embedding_initializer())
        self.predicts_entities = predicts_entities
        self.vectors = self.bias = None
        if len(self.items):
            self.vectors = self.add_weight(
                name="entities", shape=(num_entities, dim), initializer=embedding_initializer()
            )
            counts = np.bincount(self.items, minlength=num_items)
            self.means = FixedMatrix(self.items, self.entities, 1 / counts[self.items], (num_items, num_entities))
            self.has_entities = tf.constant(counts > 0, tf.float32)
            if predicts_entities:
                self.bias = self.add_weight(name="bias", shape=(num_entities,), initializer="zeros")

    def call(self, seed: Optional[tf.Tensor]) -> tf.Tensor:
        rows = tf.convert_to_tensor(self.rows)
        if len(self.cold):
            rows = tf.where(self.is_cold[:, None], 0.0, rows)
        if seed is not None and self.dropout:
            rows *= self.dropout_layer(tf.ones([self.num_items, 1]), seed=seed)
        if self.vectors is not None:
            rows += self.means.times(self.vectors)
        return rows

    def entity_loss(self, vectors: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum of the loss above, a float32 scalar; 0 without entities.

        An item without entities adds nothing.

        Args:
          vectors: v, float[n, q].
          labels: the items i that come next, int32[n].
          weights: float32[n].
        """
        if self.bias is None:
            return tf.constant(0.0)
        entities, bias = tf.convert_to_tensor(self.vectors), tf.convert_to_tensor(self.bias)
        # The mean over A_i of the logits is the product with the mean of the vectors.
        means, biases = (tf.gather(self.means.times(one), labels) for one in (entities, bias[:, None]))
        logits = tf.reduce_sum(tf.cast(vectors, tf.float32) * means, axis=1) + biases[:, 0]
        weights *= tf.gather(self.has_entities, labels)
        sums = weighted_log_sum_exp(vectors, tf.cast(entities, vectors.dtype), bias, weights)
        return sums - tf.reduce_sum(weights * logits)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_items": self.num_items,
            "dim": self.dim,
            "dropout": self.dropout,
            "items": packed(self.items),
            "entities": packed(self.entities),
            "num_entities": self.num_entities,
            "predicts_entities": self.predicts_entities,
            "cold": packed(self.cold),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ItemTable:
        return cls(**{**config, **{name: unpacked(config[name]) for name in ("items", "entities", "cold")}})
