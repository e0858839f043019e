"""What a SavedModel holds: raw item ids in, recommendations out, with TensorFlow alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from katrec.layers.added_scores import with_added
from katrec.layers.neighbour_scores import ItemEdges
from katrec.layers.tracing import traced
from katrec.models.base import ItemTables, RankingModel

# What stands for a place that no item could fill, and its score.
NO_ITEM, NO_SCORE = "", -np.inf
DEFAULT_K = 10
# Positions that are read, and histories that are scored, at a time.
POSITIONS, SCORED = 1024, 512


class Served(tf.Module):
    """A model's inference with the graph propagation and Ê folded into tables.

    Signatures, all with named inputs and outputs; B histories, n of any size, oldest item first, "" is passed over:

      - serving_default(history: string[B, n]) → items: string[B, 10], scores: float32[B, 10], cold: bool[B, 10], which
        of the items nobody had interacted with, unknown: int32[B]; recommend(history, k: int32[]) the same of k ≤ max_k
        items. Items of the history are never recommended; a place that no item is left for is "" with −∞.
      - recommend_filtered(history, k, exclude: string[B, e], include: string[B, c], allow_seen: bool[],
        cold_slots: int32[]): the same, without the items to exclude; where a row of `include` has an id, the best of
        those alone; with `allow_seen` items of the history too; of `cold_slots` ≥ 0 so many of the k places have the
        best cold items, as far as there are any, and the others none. "" is passed over.
      - recommend_from(history, candidates: string[B, c]) → scores: float32[B, c], −∞ for unknown ids; unknown.
      - rank(history, item: string[B]) → rank: int32[B], from 1, among the items outside the history, ties against it;
        0 for an unknown item.
      - encode(history) → vectors: float32[B, q + 2]; item_table() → items: string[|I|], cold: bool[|I|], vectors:
        float32[|I|, q + 2]: their inner products are the scores, for an approximate-nearest-neighbour index. The last
        two columns of the items are their biases and c times their training interactions; a history's are 1, 0, those
        of an empty one 0, 1/c. c makes the column small, at most 2⁻¹⁰, or an index would find by it alone.
      - neighbours(history) → items: string[B, m], scores: float32[B, m], for a model with `neighbour_scores`: what is
        added to those products, once for each item; "" with 0 fills the rows.
      - metadata() → json: string[].
      - attention(history) → items: string[B, w], weights: float32[B, heads, w], w ≤ T, for KATRec and BERT4Rec: the
        last layer's weights on the items that are read, at the position that is predicted.
      - graph_attention() → weights: float32[E], for KATRec: π′ of the collaborative graph's edges in their order.

    Models that know their users (BPR-MF, explicit user modelling) take `user: string[B]` in every signature with a
    history; "" and unknown users get the mean user's vector. An empty history gets the popularity ranking: scores are
    the items' training interactions. Unknown ids of a history are passed over and counted in `unknown`.

    Args:
      model: with its best weights.
      item_ids: raw ids, in the order of their numbers.
      user_ids: the same of the users.
      popularity: int[|I|], training interactions.
      max_k: largest k.
      metadata: what `metadata` returns, a dict that JSON can hold.
      tables: other ones than the model's own `inference_tables`.
    """

    def __init__(
        self,
        model: RankingModel,
        item_ids: Sequence[str],
        user_ids: Sequence[str],
        popularity: np.ndarray,
        max_k: int,
        metadata: Mapping[str, Any],
        tables: Optional[ItemTables] = None,
    ) -> None:
        super().__init__()
        tables = tables or model.inference_tables()
        self._history_length, self._padding = model.history_length, model.tokens.padding
        self._max_k = min(max_k, model.num_items)
        # Only these of the model's parts are kept: not the graph, nor what trains it.
        self.parts = model.inference_layers
        self._vectors, self._weights = model.next_item_vectors, getattr(model, "next_item_attention", None)
        self.inputs = None if tables.inputs is None else tf.Variable(tables.inputs, trainable=False, name="inputs")
        # A power of two: counts come back as they were.
        self._popularity_scale = 2.0 ** -(10 + int(np.max(popularity, initial=0)).bit_length())
        popular = np.asarray(popularity, np.float32)[:, None] * self._popularity_scale
        columns = [tables.outputs, tables.bias[:, None], popular]
        self.items = tf.Variable(tf.concat(columns, axis=1), trainable=False, name="items")
        self.is_cold = tf.Variable(model.is_cold, trainable=False, name="is_cold")
        self.users = None
        if tables.users is not None:
            # The last row is that of a user who is not known.
            mean = tf.reduce_mean(tables.users, axis=0, keepdims=True)
            self.users = tf.Variable(tf.concat([tables.users, mean], axis=0), trainable=False, name="users")
            self.user_numbers = _numbers(user_ids, len(user_ids))
        edges = () if tables.edges is None else tables.edges
        self.item_edges = tuple(tf.Variable(one, trainable=False) for one in edges)
        self._neighbour_scores = model.neighbour_scores
        self.item_ids = tf.Variable(tf.constant(np.asarray(item_ids, dtype=object), tf.string), trainable=False)
        self.item_numbers = _numbers(item_ids, -1)
        weights = getattr(model, "attention_weights", None)
        self.edges = None if weights is None else tf.Variable(weights, trainable=False, name="edges")
        self._metadata = json.dumps(metadata, ensure_ascii=False)

    def signatures(self) -> dict[str, Any]:
        """Returns {name: concrete function}."""
        history = {"history": tf.TensorSpec([None, None], tf.string, "history")}
        if self.users is not None:
            history["user"] = tf.TensorSpec([None], tf.string, "user")
        k = {"k": tf.TensorSpec([], tf.int32, "k")}
        made = {
            "serving_default": (self._recommend_default, history),
            "recommend": (self._recommend, {**history, **k}),
            "recommend_filtered": (
                self._recommend_filtered,
                {
                    **history,
                    **k,
                    **{name: tf.TensorSpec([None, None], tf.string, name) for name in ("exclude", "include")},
                    "allow_seen": tf.TensorSpec([], tf.bool, "allow_seen"),
                    "cold_slots": tf.TensorSpec([], tf.int32, "cold_slots"),
                },
            ),
            "recommend_from": (
                self._recommend_from,
                {**history, "candidates": tf.TensorSpec([None, None], tf.string, "candidates")},
            ),
            "rank": (self._rank, {**history, "item": tf.TensorSpec([None], tf.string, "item")}),
            "encode": (self._encode, history),
            "item_table": (self._item_table, {}),
            "metadata": (lambda: {"json": tf.constant(self._metadata)}, {}),
        }
        if self.item_edges:
            made["neighbours"] = (self._neighbours, history)
        if self._weights is not None:
            made["attention"] = (self._attention, history)
        if self.edges is not None:
            made["graph_attention"] = (lambda: {"weights": self.edges.read_value()}, {})
        return {
            name: traced(_checked(function, inputs)).get_concrete_function(**inputs)
            for name, (function, inputs) in made.items()
        }

    def _item_table(self):
        columns = {"items": self.item_ids, "cold": self.is_cold, "vectors": self.items}
        return {name: column.read_value() for name, column in columns.items()}

    def _recommend_default(self, history, user=None):
        return self._recommend(history, tf.constant(min(DEFAULT_K, self._max_k)), user)

    def _recommend(self, history, k, user=None):
        known, unknown = self._read(history)
        return {**self._best(k, known, user, _without), "unknown": unknown}

    def _recommend_filtered(self, history, k, exclude, include, allow_seen, cold_slots, user=None):
        known, unknown = self._read(history)
        excluded, included = self._read(exclude)[0], self._read(include)[0]
        chosen = tf.reduce_any(include != "", axis=1)
        rows = tf.shape(history)[0]
        checks = [
            tf.debugging.assert_equal(tf.shape(lists)[0], rows, f"each history needs one row of {name}")
            for name, lists in (("exclude", exclude), ("include", include))
        ]
        with tf.control_dependencies(checks):
            k = tf.identity(k)

        def allowed(known, scores, excluded, included, chosen):
            scores = tf.cond(allow_seen, lambda: scores, lambda: _without(known, scores))
            places, ones = _places(included), tf.ones_like(included.flat_values)
            inside = tf.tensor_scatter_nd_update(tf.zeros_like(scores, tf.int32), places, ones) > 0
            return _without(excluded, tf.where(inside | ~chosen[:, None], scores, NO_SCORE))

        def pick(scores, k):
            return tf.cond(
                cold_slots < 0,
                lambda: tuple(tf.math.top_k(scores, k)),
                lambda: self._with_cold_slots(scores, k, tf.minimum(cold_slots, k)),
            )

        best = self._best(k, known, user, allowed, excluded, included, chosen, pick=pick)
        return {**best, "unknown": unknown}

    def _best(self, k, known, user, allowed, *inputs, pick=tf.math.top_k):
        """Returns the items and scores of the k best of each history, and which are cold.

        Args:
          allowed: function of the histories' known items, the scores and the further inputs, which gives the scores
            with −∞ for what is not to be recommended.
          inputs: those further inputs, a row for each history.
          pick: function of scores and k, which gives the scores and numbers of k of them, the best first.
        """
        with tf.control_dependencies(
            [
                tf.debugging.assert_greater(k, 0, f"k must be from 1 to {self._max_k}"),
                tf.debugging.assert_less_equal(k, self._max_k, f"k must be from 1 to {self._max_k}"),
            ]
        ):
            k = tf.identity(k)

        def best(scores, known, *others):
            return pick(allowed(known, scores, *others), k)

        scores, numbers = self._scored(best, [tf.float32, tf.int32], known, user, known, *inputs)
        there = scores > NO_SCORE
        items = tf.where(there, tf.gather(self.item_ids, numbers), NO_ITEM)
        return {"items": items, "scores": scores, "cold": tf.gather(self.is_cold, numbers) & there}

    def _with_cold_slots(self, scores, k, slots):
        """Returns scores and numbers of the `slots` best cold items and the best others, k together."""
        parts = [
            tf.math.top_k(tf.where(of_part, scores, NO_SCORE), count)
            for of_part, count in ((~self.is_cold, k), (self.is_cold, slots))
        ]
        (warm, warm_numbers), (cold, cold_numbers) = parts
        # Slots that no cold item is left for go to the others.
        found = tf.math.count_nonzero(cold > NO_SCORE, axis=1, dtype=tf.int32)
        warm = tf.where(tf.range(k) < k - found[:, None], warm, NO_SCORE)
        together, places = tf.math.top_k(tf.concat([warm, cold], axis=1), k)
        return together, tf.gather(tf.concat([warm_numbers, cold_numbers], axis=1), places, batch_dims=1)

    def _recommend_from(self, history, candidates, user=None):
        known, unknown = self._read(history)
        numbers = self.item_numbers.lookup(candidates)

        def chosen(scores, places):
            return [tf.gather(scores, places, batch_dims=1)]

        (scores,) = self._scored(chosen, [tf.float32], known, user, tf.maximum(numbers, 0))
        return {"scores": tf.where(numbers >= 0, scores, NO_SCORE), "unknown": unknown}

    def _rank(self, history, item, user=None):
        numbers = self.item_numbers.lookup(item)

        def rank(scores, known, places):
            others = _without(known, scores)
            # The item itself counts once, whether the history has it or not.
            itself = tf.cast(tf.gather(others, places, batch_dims=1) > NO_SCORE, tf.int32)
            better = others >= tf.gather(scores, places, batch_dims=1)[:, None]
            return [1 + tf.math.count_nonzero(better, axis=1, dtype=tf.int32) - itself]

        known, _ = self._read(history)
        (ranks,) = self._scored(rank, [tf.int32], known, user, known, tf.maximum(numbers, 0))
        return {"rank": tf.where(numbers >= 0, ranks, 0)}

    def _encode(self, history, user=None):
        return {"vectors": self._encoded(self._read(history)[0], user)}

    def _neighbours(self, history, user=None):
        known, _ = self._read(history)
        vectors = self._encoded(known, user)[:, :-2]
        places, values = self._neighbour_scores(vectors, self._right_aligned(known), self._tables())
        # An item that several edges reach has one sum.
        keys, inverse = tf.unique(
            tf.cast(places[:, 0], tf.int64) * self.items.shape[0] + tf.cast(places[:, 1], tf.int64)
        )
        sums = tf.math.unsorted_segment_sum(values, inverse, tf.size(keys))
        rows = tf.cast(keys // self.items.shape[0], tf.int32)
        ids = tf.gather(self.item_ids, keys % self.items.shape[0])
        count = known.nrows(out_type=tf.int32)
        items, scores = (tf.RaggedTensor.from_value_rowids(one, rows, count) for one in (ids, sums))
        return {"items": items.to_tensor(NO_ITEM), "scores": scores.to_tensor(0.0)}

    def _attention(self, history, user=None):
        known, _ = self._read(history)
        sequences = self._right_aligned(known)
        weights = self._weights(sequences, self._tables())
        ids = tf.concat([self.item_ids, [NO_ITEM]], axis=0)
        return {"items": tf.gather(ids, sequences), "weights": weights}

    def _tables(self):
        inputs = None if self.inputs is None else tf.convert_to_tensor(self.inputs)
        users = None if self.users is None else tf.convert_to_tensor(self.users)
        edges = ItemEdges(*map(tf.convert_to_tensor, self.item_edges)) if self.item_edges else None
        return ItemTables(inputs, self.items[:, :-2], users, edges)

    def _read(self, history):
        """Returns the known items of each history, ragged int32[B, None], and how many it has of others, int32[B]."""
        given = tf.ragged.boolean_mask(history, history != "")
        numbers = given.with_flat_values(self.item_numbers.lookup(given.flat_values))
        known = tf.ragged.boolean_mask(numbers, numbers >= 0)
        return known, tf.cast(given.row_lengths() - known.row_lengths(), tf.int32)

    def _right_aligned(self, known):
        """Returns int32[B, w], the last items that the model reads, padding before them."""
        read = tf.minimum(known.row_lengths(), self._history_length)
        width = tf.reduce_max(tf.concat([read, [1]], axis=0))
        back = tf.range(width, 0, -1)
        inside = back <= read[:, None]
        places = known.row_limits()[:, None] - back
        flat = tf.concat([known.flat_values, [self._padding]], axis=0)
        return tf.where(inside, tf.gather(flat, tf.where(inside, places, 0)), self._padding)

    def _users(self, count, user):
        if user is None:
            return tf.zeros([count], tf.int32)
        with tf.control_dependencies([tf.debugging.assert_equal(tf.size(user), count, "each history needs one user")]):
            return self.user_numbers.lookup(user)

    @traced
    def _encoded(self, known, user):
        """Returns the vectors of `encode`; traced once for all signatures."""
        users = self._users(known.nrows(out_type=tf.int32), user)
        lengths = tf.minimum(known.row_lengths(), self._history_length)
        # The longest come first, few at a time: a short history is not padded to the longest of the batch.
        order = tf.argsort(lengths, direction="DESCENDING")
        # One more, which an empty batch asks for.
        positions = 1 + tf.cast(tf.concat([tf.gather(lengths, order), [0]], axis=0), tf.int32)
        tables = self._tables()
        (vectors,) = _in_blocks(
            lambda known, users: [self._vectors(self._right_aligned(known), users, tables)],
            [tf.float32],
            lambda start: tf.maximum(POSITIONS // positions[start], 1),
            tf.gather(known, order),
            tf.gather(users, order),
        )
        vectors = tf.gather(vectors, tf.math.invert_permutation(order))
        ones = tf.ones_like(vectors[:, :1])
        vectors = tf.concat([vectors, ones, tf.zeros_like(ones)], axis=1)
        width = self.items.shape[1]
        popular = tf.one_hot(width - 1, width, on_value=1 / self._popularity_scale, dtype=tf.float32)
        return tf.where((known.row_lengths() == 0)[:, None], popular, vectors)

    def _scored(self, function, dtypes, known, user, *inputs):
        """Returns the results of function(scores of all items, *inputs) of each history, some histories at a time."""

        def score(vectors, known, *inputs):
            scores = tf.matmul(vectors, self.items, transpose_b=True)
            added = self._neighbour_scores(vectors[:, :-2], self._right_aligned(known), self._tables())
            return function(with_added(scores, added), *inputs)

        return _in_blocks(score, dtypes, lambda start: SCORED, self._encoded(known, user), known, *inputs)


def _in_blocks(function, dtypes, size, *inputs):
    """Returns the results of function(*inputs), a list of tensors, computed from some consecutive rows at a time.

    Args:
      function: of any number of rows of the inputs; its results have a row for each.
      dtypes: of its results.
      size: function from a block's first row to how many rows it may have.
      inputs: tensors, ragged ones among them.
    """
    count = tf.shape(inputs[0], out_type=tf.int32)[0]

    def block(number, start, results):
        end = start + size(start)
        outputs = function(*(one[start:end] for one in inputs))
        return number + 1, end, [result.write(number, output) for result, output in zip(results, outputs)]

    results = [tf.TensorArray(dtype, size=0, dynamic_size=True, infer_shape=False) for dtype in dtypes]
    # An empty batch is one empty block, which gives the results their shapes.
    *_, results = tf.while_loop(
        lambda number, start, _: tf.logical_or(number == 0, start < count),
        block,
        (0, 0, results),
        parallel_iterations=1,
    )
    return [result.concat() for result in results]


def _without(known, scores):
    """Returns the scores, float32[B, |I|], with −∞ for the known items of each history."""
    places = _places(known)
    return tf.tensor_scatter_nd_update(scores, places, tf.fill(tf.shape(places)[:1], NO_SCORE))


def _places(numbers):
    """Returns int64[n, 2], the row and the number of each value of a ragged tensor."""
    return tf.stack([numbers.value_rowids(), tf.cast(numbers.flat_values, tf.int64)], axis=1)


def _checked(function, specs):
    """Returns the function with its inputs' ranks checked as it runs: a signature alone checks types only."""

    def call(**inputs):
        return function(**{name: tf.ensure_shape(value, specs[name].shape) for name, value in inputs.items()})

    return call


def _numbers(ids, default):
    keys = tf.constant(np.asarray(ids, dtype=object), tf.string)
    pairs = tf.lookup.KeyValueTensorInitializer(keys, tf.range(len(ids)))
    return tf.lookup.StaticHashTable(pairs, default)
