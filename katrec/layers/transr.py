"""TransR (Lin et al. 2015), Section 3.2: entities are compared in a space of each relation's own."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from katrec.layers.grouped_projection import project
from katrec.layers.initializers import embedding_initializer


@tf.keras.saving.register_keras_serializable(package="katrec")
class TransR(tf.keras.layers.Layer):
    """The dissimilarity of a triplet (Section 3.2).

        s(h, r, t) = ‖Wʳe_h + e_r − Wʳe_t‖²

    computed as ‖Wʳ(e_h − e_t) + e_r‖², one projection instead of two. The lower s, the likelier the triplet.

    Args:
      num_relations: |R′|.
      relation_dim: k, the size of a relation's space.

    Input:
      head embeddings float[n, d], relation ids int[n], tail embeddings float[n, m, d]: m tails for each head.

    Output:
      float[n, m].

    Attributes:
      projection: Wʳ for every relation, float[|R′|, d, k] (it multiplies row vectors).
      relation: e_r for every relation, float[|R′|, k].
    """

    def __init__(self, num_relations: int, relation_dim: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_relations = num_relations
        self.relation_dim = relation_dim

    def build(self, input_shape: Any) -> None:
        entity_dim = input_shape[0][-1]
        self.projection = self.add_weight(
            name="projection",
            shape=(self.num_relations, entity_dim, self.relation_dim),
            initializer=embedding_initializer(),
        )
        self.relation = self.add_weight(
            name="relation", shape=(self.num_relations, self.relation_dim), initializer=embedding_initializer()
        )
        super().build(input_shape)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        head, relation, tail = inputs
        translation = project(head[:, None] - tail, relation, self.projection)
        translation += tf.gather(self.relation, relation)[:, None]
        return tf.reduce_sum(tf.square(translation), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_relations": self.num_relations, "relation_dim": self.relation_dim}


def pairwise_loss(positive: tf.Tensor, negative: tf.Tensor) -> tf.Tensor:
    """The ranking part of Eq. 1: Σ −ln σ(s(h,r,t′) − s(h,r,t)).

    Args:
      positive: s(h, r, t) of valid triplets, float[n].
      negative: s(h, r, t′) of the same heads and relations with a tail for which (h, r, t′) ∉ G, float[n].

    Returns:
      A scalar.
    """
    return tf.reduce_sum(tf.nn.softplus(positive - negative))
