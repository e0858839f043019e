"""What the graph's item–item triplets add to the scores of a history's neighbours. Beyond the paper."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from katrec.layers.packing import packed, unpacked

# Adam moves a weight by about the learning rate a step, and scores must move by several units.
WEIGHT_UNIT = 10.0


class ItemEdges(NamedTuple):
    """Edges (j, r, i) between items, sorted by j.

    Attributes:
      starts: int32[|I| + 1], where the edges of each item j begin.
      relations: int32[E], r, from 0.
      tails: int32[E], i.
    """

    starts: tf.Tensor
    relations: tf.Tensor
    tails: tf.Tensor


class SparseScores(NamedTuple):
    """What is added to some of the scores float[n, |I|].

    Attributes:
      places: int32[m, 2], rows and items, sorted by row; a place may occur more than once, and its values add up.
      values: float32[m].
    """

    places: tf.Tensor
    values: tf.Tensor


@tf.keras.saving.register_keras_serializable(package="katrec")
class NeighbourScores(tf.keras.layers.Layer):
    """Scores of the items that the graph joins to the last items of a history.

    A product of two vectors of a hundred numbers cannot remember which few of ten thousand items stand beside one. With
    j_g the item g places before the newest, and v the vector that scores the next item,

        s_i = Σ_{g < G} Σ_{r: (j_g, r, i) ∈ 𝒢} (w_{r,g} + vᵀu_r)

    w says what a relation is worth by recency, u which histories ask for it (a complement, a substitute). All are 0 at
    first.

    Args:
      starts, relations, tails: the item–item edges as in `ItemEdges`.
      num_gaps: G.

    Input:
      v, float[n, q], of the chosen positions in their order; the items that are read, int32[B, w], |I| or more at
      padding; `chosen`, bool[B, w], n positions; `edges`, the same `ItemEdges` in another place, as a saved model
      needs.

    Output:
      `SparseScores` of n rows.

    Raises:
      ValueError: the arrays are no edges between |I| items.
    """

    def __init__(
        self, starts: np.ndarray, relations: np.ndarray, tails: np.ndarray, num_gaps: int = 10, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not len(relations) == len(tails) == starts[-1] or tails.max(initial=0) >= len(starts) - 1:
            raise ValueError("the arrays are no edges between items")
        self.num_items = len(starts) - 1
        self.num_relations = int(relations.max(initial=-1)) + 1
        self.num_gaps = num_gaps
        self.edges = ItemEdges(*(tf.constant(one, tf.int32) for one in (starts, relations, tails)))

    def build(self, input_shape: Any) -> None:
        # float32 in a layer of any compute type.
        options = {"initializer": "zeros", "experimental_autocast": False}
        self.gap_weights = self.add_weight(name="gap_bias", shape=(self.num_relations, self.num_gaps), **options)
        self.gates = self.add_weight(name="gates", shape=(input_shape[-1], self.num_relations), **options)
        super().build(input_shape)

    def call(
        self, vectors: tf.Tensor, sequences: tf.Tensor, chosen: tf.Tensor, edges: Optional[ItemEdges] = None
    ) -> SparseScores:
        edges = edges or self.edges
        rows, items, gaps = self._pairs(sequences, chosen)
        starts = tf.gather(edges.starts, items)
        counts = tf.gather(edges.starts, items + 1) - starts
        ends = tf.cumsum(counts)
        numbers = tf.range(tf.reduce_sum(counts))
        # Which pair each edge is of.
        pair = tf.searchsorted(ends, numbers, side="right")
        edge = tf.gather(starts, pair) + numbers - tf.gather(ends - counts, pair)
        row, relation = tf.gather(rows, pair), tf.gather(edges.relations, edge)
        gates = tf.cast(vectors, tf.float32) @ self.gates
        values = WEIGHT_UNIT * tf.gather(
            tf.reshape(self.gap_weights, [-1]), relation * self.num_gaps + tf.gather(gaps, pair)
        ) + tf.gather(tf.reshape(gates, [-1]), row * self.num_relations + relation)
        return SparseScores(tf.stack([row, tf.gather(edges.tails, edge)], axis=1), values)

    def _pairs(self, sequences, chosen):
        """Returns the rows of the chosen positions, the items that each of them looks back on, and how far back."""
        places = tf.range(tf.shape(sequences)[1])
        gap = places[:, None] - places
        near = tf.logical_and(gap >= 0, gap < self.num_gaps)
        pairs = chosen[:, :, None] & near & (sequences < self.num_items)[:, None]
        sequence, position, earlier = tf.unstack(tf.cast(tf.where(pairs), tf.int32), num=3, axis=1)
        width = tf.shape(sequences)[1]
        rows = tf.cumsum(tf.cast(tf.reshape(chosen, [-1]), tf.int32)) - 1
        rows = tf.gather(rows, sequence * width + position)
        items = tf.gather(tf.reshape(sequences, [-1]), sequence * width + earlier)
        return rows, items, position - earlier

    def get_config(self) -> dict[str, Any]:
        edges = {name: packed(one.numpy()) for name, one in self.edges._asdict().items()}
        return {**super().get_config(), **edges, "num_gaps": self.num_gaps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> NeighbourScores:
        return cls(**{**config, **{name: unpacked(config[name]) for name in ItemEdges._fields}})
