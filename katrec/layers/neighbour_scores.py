"""What edges between items add to the scores of a history's neighbours. Beyond the paper."""

from __future__ import annotations

import math
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
      counts: float32[E], c, how often.
    """

    starts: tf.Tensor
    relations: tf.Tensor
    tails: tf.Tensor
    counts: tf.Tensor


class SparseScores(NamedTuple):
    """What is added to some of the scores float[n, |I|].

    Attributes:
      places: int32[m, 2], rows and items, sorted by row; a place may occur more than once, and its values add up.
      values: float32[m].
    """

    places: tf.Tensor
    values: tf.Tensor


def with_added(scores: tf.Tensor, added: Optional[SparseScores]) -> tf.Tensor:
    """Returns the scores float32[n, |I|] with what is added to some of them; as they are where that is None."""
    return scores if added is None else tf.tensor_scatter_nd_add(scores, *added)


def values_at(scores: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Returns float[m], the values of float[n, |I|] at int32[m, 2]; their number n · |I| must be below 2³¹.

    By place in the flat scores: TensorFlow 2.21 has no GPU kernel for gather_nd with int32 indices.
    """
    return tf.gather(tf.reshape(scores, [-1]), places[:, 0] * tf.shape(scores)[1] + places[:, 1])


@tf.keras.saving.register_keras_serializable(package="katrec")
class NeighbourScores(tf.keras.layers.Layer):
    """Scores of the items that an edge joins to one of the last items of a history.

    A product of two vectors of a hundred numbers cannot remember which few of ten thousand items stand beside one. With
    j_g the item g places before the newest, v the vector that scores the next item, and c how often an edge was seen,

        s_i = Σ_{g < G} Σ_r (w_{r,g} + vᵀu_r) log₂(1 + c(j_g, r, i))

    w says what a relation is worth by recency, u which histories ask for it (a complement, a substitute). All are 0 at
    first.

    Args:
      starts, relations, tails, counts: the edges as in `ItemEdges`.
      num_gaps: G.
      transition_reach: D; the last 2D relations are "d places later" and "d places earlier" in the training histories,
        for d = 1 … D.

    Input:
      v, float[n, q], of the chosen positions in their order; the items that are read, int32[B, w], |I| or more at
      padding; `chosen`, bool[B, w], n positions; `edges`, the same `ItemEdges` in another place, as a saved model
      needs; `windows`, int32[B, ≥ w], in training: what the items that are read are the beginning of. The transitions
      of that very place of the window are not counted, or the model would learn to look its targets up.

    Output:
      `SparseScores` of n rows.

    Raises:
      ValueError: the arrays are no edges between |I| items.
    """

    def __init__(
        self,
        starts: np.ndarray,
        relations: np.ndarray,
        tails: np.ndarray,
        counts: np.ndarray,
        num_gaps: int = 5,
        transition_reach: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not len(relations) == len(tails) == len(counts) == starts[-1] or tails.max(initial=0) >= len(starts) - 1:
            raise ValueError("the arrays are no edges between items")
        self.num_items = len(starts) - 1
        self.num_relations = int(relations.max(initial=-1)) + 1
        self.num_gaps = num_gaps
        self.transition_reach = transition_reach
        self.edges = ItemEdges(
            tf.constant(starts, tf.int32),
            tf.constant(relations, tf.int32),
            tf.constant(tails, tf.int32),
            tf.constant(counts, tf.float32),
        )

    def build(self, input_shape: Any) -> None:
        # float32 in a layer of any compute type.
        options = {"initializer": "zeros", "experimental_autocast": False}
        self.gap_weights = self.add_weight(name="gap_bias", shape=(self.num_relations, self.num_gaps), **options)
        self.gates = self.add_weight(name="gates", shape=(input_shape[-1], self.num_relations), **options)
        super().build(input_shape)

    def call(
        self,
        vectors: tf.Tensor,
        sequences: tf.Tensor,
        chosen: tf.Tensor,
        edges: Optional[ItemEdges] = None,
        windows: Optional[tf.Tensor] = None,
    ) -> SparseScores:
        edges = edges or self.edges
        rows, gaps, places = self._pairs(sequences, chosen)
        items = _at(sequences, places)
        starts = tf.gather(edges.starts, items)
        degrees = tf.gather(edges.starts, items + 1) - starts
        ends = tf.cumsum(degrees)
        numbers = tf.range(tf.reduce_sum(degrees))
        # Which pair each edge is of.
        pair = tf.searchsorted(ends, numbers, side="right")
        edge = tf.gather(starts, pair) + numbers - tf.gather(ends - degrees, pair)
        row = tf.gather(rows, pair)
        relation, tail, count = (tf.gather(one, edge) for one in edges[1:])
        if windows is not None and self.transition_reach:
            count -= tf.where(self._own(relation, tail, windows, places, pair), 1.0, 0.0)
        gates = tf.cast(vectors, tf.float32) @ self.gates
        values = WEIGHT_UNIT * tf.gather(
            tf.reshape(self.gap_weights, [-1]), relation * self.num_gaps + tf.gather(gaps, pair)
        ) + tf.gather(tf.reshape(gates, [-1]), row * self.num_relations + relation)
        return SparseScores(tf.stack([row, tail], axis=1), values * tf.math.log1p(count) / math.log(2))

    def _own(self, relation, tail, windows, places, pair):
        """Returns which edges are a transition from, or to, the pair's own place of its window."""
        reach = self.transition_reach
        around = tf.pad(windows, [[0, 0], [reach, reach]], constant_values=-1)
        # Relation first + 2 (d − 1) is "d places later", the one after it "d places earlier".
        first = self.num_relations - 2 * reach
        own = tf.zeros_like(tail, tf.bool)
        for number in range(2 * reach):
            distance = (number // 2 + 1) * (1 if number % 2 == 0 else -1)
            there = tf.gather(_at(around, places + tf.constant([0, reach + distance])), pair)
            own |= (relation == first + number) & (tail == there)
        return own

    def _pairs(self, sequences, chosen):
        """Returns who looks back on what: rows of the chosen positions, how far, and places (sequence, position)."""
        places = tf.range(tf.shape(sequences)[1])
        gap = places[:, None] - places
        near = tf.logical_and(gap >= 0, gap < self.num_gaps)
        pairs = chosen[:, :, None] & near & (sequences < self.num_items)[:, None]
        sequence, position, earlier = tf.unstack(tf.cast(tf.where(pairs), tf.int32), num=3, axis=1)
        width = tf.shape(sequences)[1]
        rows = tf.cumsum(tf.cast(tf.reshape(chosen, [-1]), tf.int32)) - 1
        rows = tf.gather(rows, sequence * width + position)
        return rows, position - earlier, tf.stack([sequence, earlier], axis=1)

    def get_config(self) -> dict[str, Any]:
        edges = {name: packed(one.numpy()) for name, one in self.edges._asdict().items()}
        return {**super().get_config(), **edges, "num_gaps": self.num_gaps, "transition_reach": self.transition_reach}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> NeighbourScores:
        return cls(**{**config, **{name: unpacked(config[name]) for name in ItemEdges._fields}})


def _at(table, places):
    """Returns table[row, column] of each of the places int32[n, 2]."""
    return tf.gather(tf.reshape(table, [-1]), places[:, 0] * tf.shape(table)[1] + places[:, 1])
