"""What edges between items add to the scores of a history's neighbours. Beyond the paper."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from katrec.layers.added_scores import EdgeScores, values_at
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
      padding; `chosen`, bool[B, w], n positions, the last one of each sequence where it is None; `edges`, the same
      `ItemEdges` in another place, as a saved model needs; `windows`, int32[B, ≥ w], in training: what the items that
      are read are the beginning of. The transitions of that very place of the window are not counted, or the model
      would learn to look its targets up.

    Output:
      `EdgeScores` of n rows; k is G, or 1 where `chosen` is None.

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
        chosen: Optional[tf.Tensor] = None,
        edges: Optional[ItemEdges] = None,
        windows: Optional[tf.Tensor] = None,
    ) -> EdgeScores:
        edges = edges or self.edges
        read = self._last_read(sequences) if chosen is None else self._read(sequences, chosen)
        items = values_at(sequences, read.places)
        starts = tf.gather(edges.starts, items)
        degrees = tf.gather(edges.starts, items + 1) - starts
        ends = tf.cumsum(degrees)
        numbers = tf.range(tf.reduce_sum(degrees))
        readings = tf.searchsorted(ends, numbers, side="right")
        edge = numbers + tf.gather(starts - (ends - degrees), readings)
        relations, tails, counts = (tf.gather(one, edge) for one in edges[1:])
        if windows is not None and self.transition_reach:
            counts -= tf.cast(self._own(relations, tails, windows, read.places, readings), tf.float32)
        worth = tf.gather(self._worth(vectors, read), readings * self.num_relations + relations)
        first = tf.searchsorted(read.places[:, 0], tf.range(tf.shape(sequences)[0] + 1))
        return EdgeScores(
            rows=read.rows,
            readings=readings,
            tails=tails,
            values=worth * (tf.math.log1p(counts) / math.log(2))[:, None],
            first_rows=read.first_rows,
            first_edges=tf.gather(tf.concat([[0], ends], axis=0), first),
        )

    def _read(self, sequences, chosen):
        """Returns the `_Reading` of all items of sequences that have a chosen position."""
        width = tf.shape(sequences)[1]
        counts = tf.reduce_sum(tf.cast(chosen, tf.int32), axis=1)
        first_rows = tf.concat([[0], tf.cumsum(counts)], axis=0)
        places = _places((sequences < self.num_items) & (counts > 0)[:, None])
        later = places[:, 1:] + tf.range(self.num_gaps)
        at = places[:, :1] * width + tf.minimum(later, width - 1)
        chosen = tf.reshape(chosen, [-1])
        looks = (later < width) & tf.gather(chosen, at)
        numbers = tf.gather(tf.cumsum(tf.cast(chosen, tf.int32), exclusive=True), at)
        rows = tf.where(looks, numbers, tf.gather(first_rows, places[:, :1]))
        return _Reading(places, rows, tf.range(self.num_gaps)[None], looks, first_rows)

    def _last_read(self, sequences):
        """Returns the `_Reading` of the last items, on which the last position looks back."""
        shape = tf.shape(sequences)
        gaps = shape[1] - 1 - tf.range(shape[1])
        places = _places((sequences < self.num_items) & (gaps < self.num_gaps))
        rows = places[:, :1]
        return _Reading(
            places, rows, tf.gather(gaps, places[:, 1:]), tf.ones_like(rows, tf.bool), tf.range(shape[0] + 1)
        )

    def _worth(self, vectors, read):
        """Returns w_{r,g} + vᵀu_r of each item that is read, relation and row that looks back, float32[p |R|, k]."""
        gates = tf.cast(vectors, tf.float32) @ self.gates
        worth = WEIGHT_UNIT * tf.gather(self.gap_weights, read.gaps, axis=1)
        worth = tf.transpose(worth, [1, 0, 2]) + tf.transpose(tf.gather(gates, read.rows), [0, 2, 1])
        return tf.reshape(tf.where(read.looks[:, None], worth, 0.0), [-1, read.rows.shape[1]])

    def _own(self, relations, tails, windows, places, readings):
        """Returns which edges are a transition from, or to, their own item's place of its window."""
        reach = self.transition_reach
        around = tf.pad(windows, [[0, 0], [reach, reach]], constant_values=-1)
        # The relation first + 2 (d − 1) is "d places later", the one after it "d places earlier".
        distances = [sign * distance for distance in range(1, reach + 1) for sign in (1, -1)]
        at = places[:, :1] * tf.shape(around)[1] + places[:, 1:] + reach + tf.constant(distances)
        there = tf.gather(tf.reshape(around, [-1]), at)
        numbers = relations - (self.num_relations - 2 * reach)
        own = tf.gather(tf.reshape(there, [-1]), readings * (2 * reach) + tf.maximum(numbers, 0))
        return (numbers >= 0) & (tails == own)

    def get_config(self) -> dict[str, Any]:
        edges = {name: packed(one.numpy()) for name, one in self.edges._asdict().items()}
        return {**super().get_config(), **edges, "num_gaps": self.num_gaps, "transition_reach": self.transition_reach}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> NeighbourScores:
        return cls(**{**config, **{name: unpacked(config[name]) for name in ItemEdges._fields}})


class _Reading(NamedTuple):
    """Which items are read, and which rows look back on them.

    Attributes:
      places: int32[p, 2], sequence and position, in order.
      rows: int32[p, k], as in `EdgeScores`.
      gaps: int32[p or 1, k], how far back.
      looks: bool[p, k], whether there is such a row.
      first_rows: int32[B + 1].
    """

    places: tf.Tensor
    rows: tf.Tensor
    gaps: tf.Tensor
    looks: tf.Tensor
    first_rows: tf.Tensor


def _places(wanted):
    """Returns int32[p, 2], where bool[B, w] is true."""
    return tf.cast(tf.where(wanted), tf.int32)
