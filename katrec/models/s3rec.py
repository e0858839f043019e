"""S3-Rec (Zhou et al. 2020), the knowledge-aware sequential baseline: SASRec after four self-supervised tasks."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from katrec.data import collaborative_graph, item_attributes
from katrec.data.dataset import Dataset
from katrec.data.sequences import Tokens
from katrec.layers import embedding_initializer
from katrec.layers.multi_label import weighted_multi_label_cross_entropy
from katrec.layers.ranking_losses import bpr
from katrec.layers.seeds import fold
from katrec.layers.sparse_products import FixedMatrix
from katrec.layers.transformer import last_position
from katrec.models.base import Batch, Context, TrainedModel
from katrec.models.sasrec import SASRec
from katrec.settings import Settings

# The weights of the tasks' losses, as in its authors' code.
ASSOCIATED_ATTRIBUTES, MASKED_ITEMS, MASKED_ATTRIBUTES, SEGMENTS = 0.2, 1.0, 1.0, 0.5


class S3Rec(SASRec):
    """S3-Rec's second stage: SASRec's loss with BERT's layers, which begin as `SelfSupervision` leaves them.

    Arguments as `SASRec`'s.
    """

    layer_options: ClassVar[dict[str, Any]] = {"pre_norm": False, "inner_factor": 4, "input_norm": True}
    scaled_inputs: ClassVar[bool] = False


class SelfSupervision(TrainedModel):
    """S3-Rec's first stage (its Section 4.2), in the form of its authors' code, which its published numbers are from.

    The encoder F of an `S3Rec` reads sequences from both sides. With the item embeddings e_i, the attributes' u_a, a
    matrix W and a vector b for each task, f(h, x) = σ((W h + b) · x), and each loss a sum over a batch's sequences:

        associated attributes: Σ_t Σ_a −[y_ta ln f(F_t, u_a) + (1 − y_ta) ln(1 − f(F_t, u_a))], t not masked
        masked attributes:     the same, t masked
        masked items:          Σ_t −ln σ(f(F_t, e_{i_t}) − f(F_t, e_j)), t masked, j outside the history
        segments:              −ln σ(f(F, F′) − f(F, F″))

    The last: F is the last position's state of the sequence with a segment masked, F′ that of the segment with all else
    masked, F″ that of a stretch of the training items of all users in the same places. A sequence of one item has no
    segment. An item's attributes are the entities that a triplet joins to it and that are no items; y says which.

    Its paper has the item's embedding for the associated attributes, where its code has F_t.

    Args:
      model: the `S3Rec`, whose items and transformer are trained.
      settings: read are mask_share, the share of a sequence's items but the last, which is always masked; hidden_dim.
      dataset: its triplets and training items are read.
      policy: as in `TrainedModel`.
    """

    uses_negatives = True

    def __init__(
        self, model: S3Rec, settings: Settings, dataset: Dataset, policy: Any = "float32", **kwargs: Any
    ) -> None:
        super().__init__(dataset.num_items, settings.max_sequence_length, policy, **kwargs)
        self.model = model
        self.mask_share = settings.mask_share
        self.training_items = tf.constant(dataset.items)
        items, entities, count = item_attributes.build(collaborative_graph.build(dataset), dataset)
        self.labels = FixedMatrix(items, entities, np.ones(len(items)), (dataset.num_items, count))
        dim = settings.hidden_dim
        self.mask_vector = self.add_weight(name="mask", shape=(1, dim), initializer=embedding_initializer())
        self.attributes = self.add_weight(name="attributes", shape=(count, dim), initializer=embedding_initializer())
        self.tasks = {
            name: tf.keras.layers.Dense(dim, kernel_initializer=embedding_initializer(), name=name)
            for name in ("associated_attributes", "masked_items", "masked_attributes", "segments")
        }
        for layer in self.tasks.values():
            layer.build((None, dim))

    def loss(self, batch: Batch, context: Context) -> tf.Tensor:
        """The weighted sum of the tasks' losses, the mean over the sequences; see `TrainedModel`."""
        sequences = batch.sequences[context.rows]
        # Drawn for the whole batch, so that devices share what one would draw.
        masked = masked_positions(batch.sequences, self.tokens, self.mask_share, context.shared_seed(0))[context.rows]
        segments = choose_segments(batch.sequences, self.tokens, self.training_items, context.shared_seed(1))
        segments = Segments(*(part[context.rows] for part in segments))
        vectors = tf.concat([self.model.item_tables().inputs, self.mask_vector], axis=0)
        total = self._masked_loss(vectors, sequences, masked, batch.negatives[context.rows], context.own_seed(2))
        total += SEGMENTS * self._segment_loss(vectors, sequences, segments, context.own_seed(3))
        return total / tf.cast(tf.shape(batch.sequences)[0], tf.float32)

    def _masked_loss(self, vectors, sequences, masked, negatives, seed):
        """Returns the weighted losses of attributes and of masked items, of sequences with some items masked."""
        inputs = tf.where(masked, self.tokens.mask, sequences)
        real = sequences != self.tokens.padding
        states = tf.boolean_mask(self._states(vectors, inputs, seed), real)
        is_masked, items = tf.boolean_mask(masked, real), tf.boolean_mask(sequences, real)
        associated, of_masked = (self.tasks[name](states) for name in ("associated_attributes", "masked_attributes"))
        attributes = tf.convert_to_tensor(self.attributes)
        of_attributes = weighted_multi_label_cross_entropy(
            tf.where(is_masked[:, None], of_masked, associated),
            attributes,
            tf.gather(self.labels.times(attributes), items),
            tf.where(is_masked, MASKED_ATTRIBUTES, ASSOCIATED_ATTRIBUTES),
        )
        asked = self.tasks["masked_items"](tf.boolean_mask(states, is_masked))
        wanted, others = (
            tf.sigmoid(tf.reduce_sum(asked * tf.gather(self.model.items, tf.boolean_mask(one, masked)), axis=1))
            for one in (sequences, negatives)
        )
        return of_attributes + MASKED_ITEMS * tf.reduce_sum(bpr(wanted, others))

    def _segment_loss(self, vectors, sequences, segments, seed):
        """Returns the loss that tells a sequence's own segment from another."""
        mask, real = self.tokens.mask, sequences != self.tokens.padding
        views = [
            tf.where(segments.inside, mask, sequences),
            tf.where(real & ~segments.inside, mask, sequences),
            tf.where(real & ~segments.inside, mask, tf.where(segments.inside, segments.others, sequences)),
        ]
        inputs = tf.concat(views, axis=0)
        states = self._states(vectors, inputs, seed, last_position(inputs))[:, 0]
        without, own, other = tf.split(states, 3)
        asked = self.tasks["segments"](without)
        own, other = (tf.sigmoid(tf.reduce_sum(asked * one, axis=1)) for one in (own, other))
        return tf.reduce_sum(tf.where(tf.reduce_any(segments.inside, axis=1), bpr(own, other), 0.0))

    def _states(self, vectors, inputs, seed, positions=None):
        """Returns F of sequences read by `vectors`, float32[B, w, q], or of some `positions`, float32[B, n, q]."""
        states = self.model.transformer(
            tf.gather(vectors, inputs),
            inputs != self.tokens.padding,
            seed=seed,
            positions=positions,
            causal=False,
        )
        return tf.cast(states, tf.float32)


def masked_positions(sequences: tf.Tensor, tokens: Tokens, mask_share: float, seed: tf.Tensor) -> tf.Tensor:
    """Returns which positions are masked, bool[B, w]: the last, and each other item with probability `mask_share`.

    Args:
      sequences: int32[B, w], right-aligned.
      tokens: the data set's.
      mask_share: from 0 to 1.
      seed: int32[2].
    """
    drawn = tf.random.stateless_uniform(tf.shape(sequences), seed, alg="philox") < mask_share
    last = tf.range(tf.shape(sequences)[1]) == tf.shape(sequences)[1] - 1
    return (drawn | last) & (sequences != tokens.padding)


class Segments(NamedTuple):
    """A segment of each sequence, and another that might stand in its place.

    Attributes:
      inside: bool[B, w], where it is; nowhere in a sequence of one item.
      others: int32[B, w], a stretch of the training items of all users there, and anything elsewhere.
    """

    inside: tf.Tensor
    others: tf.Tensor


def choose_segments(sequences: tf.Tensor, tokens: Tokens, training_items: tf.Tensor, seed: tf.Tensor) -> Segments:
    """Chooses a segment of each sequence of n items: of 1 to n / 2 items, both uniform, where it begins uniform too.

    Args:
      sequences: int32[B, w], right-aligned.
      tokens: the data set's.
      training_items: int32[N], one user's after the other's.
      seed: int32[2].
    """
    width, count = tf.shape(sequences)[1], tf.shape(training_items)[0]
    lengths = tf.reduce_sum(tf.cast(sequences != tokens.padding, tf.int32), axis=1)

    def drawn(part, below):
        share = tf.random.stateless_uniform(tf.shape(lengths), fold(seed, part), alg="philox")
        return tf.minimum(tf.cast(share * tf.cast(below, tf.float32), tf.int32), below - 1)

    sizes = tf.where(lengths < 2, 0, 1 + drawn(0, tf.maximum(lengths // 2, 1)))
    starts = width - lengths + drawn(1, lengths - sizes + 1)
    places = tf.range(width) - starts[:, None]
    inside = (places >= 0) & (places < sizes[:, None])
    others = drawn(2, count - sizes + 1)[:, None] + places
    return Segments(inside, tf.gather(training_items, tf.where(inside, others, 0)))
