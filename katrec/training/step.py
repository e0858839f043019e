"""Iterations of training: KATRec's TransR steps, then a step of the model's own loss (Section 3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from katrec.common.command_line import UserError
from katrec.layers.tracing import traced
from katrec.models.base import Batch, Context, TrainedModel
from katrec.settings import Settings
from katrec.training.devices import rows_of
from katrec.training.optimizers import WarmupLinearDecay, adam, adamw, create_variables

# What `TrainSteps.sums` adds up.
LOSS, TRANSR_LOSS, STEPS, GRADIENT, TRANSR_GRADIENT = range(5)
# In the order in which a step computes them: the first that is no number has spoilt the others.
CHECKED = {
    TRANSR_LOSS: "TransR's loss",
    TRANSR_GRADIENT: "the norm of TransR's gradient",
    LOSS: "the loss",
    GRADIENT: "the norm of the loss's gradient",
}


class NotFiniteError(UserError):
    """A loss or a gradient is not a finite number; the weights are spoilt."""


class TrainSteps(tf.Module):
    """Traced iterations, with both losses' optimizers and the sums of their losses.

    Args:
      model: what is trained, made in the strategy's scope.
      settings: the run's settings.
      strategy: each of its replicas computes the gradients of its part of every batch.

    Attributes:
      sums: float32[5], of the steps since `take_losses`: the model's `loss`, TransR's ranking loss, how many they are,
        the norms of both losses' gradients before they are clipped.
    """

    def __init__(self, model: TrainedModel, settings: Settings, strategy: tf.distribute.Strategy) -> None:
        super().__init__()
        self._strategy = strategy
        self._model = model
        self._settings = settings
        schedule = WarmupLinearDecay(settings.learning_rate, settings.warmup_steps, settings.train_steps)
        optimizer = adamw(schedule, settings.weight_decay)
        triplet_schedule = WarmupLinearDecay(
            settings.learning_rate,
            settings.warmup_steps * settings.kg_steps,
            settings.train_steps * settings.kg_steps,
        )
        self.triplet_optimizer = adam(triplet_schedule)
        # Variables may not be made inside a traced loop.
        create_variables(optimizer, model.sequence_variables)
        create_variables(self.triplet_optimizer, model.triplet_variables)
        # float16 ends at 6e-8: without a scale most gradients would be zero.
        self._scales = model.precision == "float16"
        self.sequence_optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer) if self._scales else optimizer
        self.sums = tf.Variable(tf.zeros([5]), trainable=False)

    def __call__(self, batches: Iterator[tuple], number: int, count: int) -> np.ndarray:
        """Trains on the next batches.

        Args:
          batches: an iterator of `Batches`.
          number: the first iteration's number, from 0.
          count: how many iterations; the graph attention stays as it is.

        Returns:
          The sums.

        Raises:
          NotFiniteError: a loss or a gradient is no finite number; names the step.
        """
        done = self._run(batches, tf.constant(number), tf.constant(count))
        sums = self.sums.numpy()
        if not np.isfinite(sums).all():
            part = next(part for part in CHECKED if not np.isfinite(sums[part]))
            raise NotFiniteError(f"step {number + int(done)}: {CHECKED[part]} is {sums[part]}")
        return sums

    def take_losses(self) -> tuple[float, float]:
        """Returns the mean losses since the last call: the model's, and TransR's."""
        sums = self.sums.numpy()
        self.sums.assign(tf.zeros_like(self.sums))
        loss, transr_loss = sums[[LOSS, TRANSR_LOSS]] / max(sums[STEPS], 1)
        return float(loss), float(transr_loss)

    @traced
    def _run(self, batches, number, count):
        """Returns how many iterations were added to the sums: the first that makes them not finite is the last."""
        strategy = self._strategy
        graph = strategy.run(self._model.graph_matrices)

        def iteration(i, done):
            parts = strategy.run(self._iterate, args=(Batch(*next(batches)), number + i, graph))
            finite = tf.reduce_all(tf.math.is_finite(self.sums))
            parts = strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None)
            self.sums.assign_add(tf.where(finite, parts, tf.zeros_like(parts)))
            return i + 1, done + tf.cast(finite, tf.int32)

        # Not ended at the first that is not finite: an iteration's dropout is drawn beside the one before.
        return tf.while_loop(lambda i, _: i < count, iteration, (0, 0))[1]

    def _iterate(self, batch, number, graph):
        """One device's part of an iteration; returns its share of what `sums` adds up, float32[5]."""
        model, settings = self._model, self._settings
        triplet_loss = triplet_norm = 0.0
        if model.triplet_variables:
            for i in range(settings.kg_steps):
                ranking, norm = triplet_step(
                    model, self.triplet_optimizer, batch.triplets[i], settings.clip_norm, self._strategy
                )
                triplet_loss += ranking / settings.kg_steps
                triplet_norm += norm / settings.kg_steps
        device, num_devices = _place(self._strategy)
        rows = rows_of(device, num_devices, tf.shape(batch.sequences)[0])
        with tf.GradientTape() as tape:
            loss = model.loss(batch, Context(tf.stack([settings.seed, number]), rows, device, graph))
            scaled = self._scaled(loss)
        gradients = self._unscaled(tape.gradient(scaled, model.sequence_variables))
        norm = apply(self.sequence_optimizer, gradients, model.sequence_variables, settings.clip_norm, self._strategy)
        if self._scales:
            # A scaled gradient may be too large for 16 bits: the optimizer passes over it and takes a smaller scale.
            norm = 0.0
        # The norm is the same on all devices, the losses are each one's part.
        return tf.stack([loss, triplet_loss, 1 / num_devices, norm / num_devices, triplet_norm / num_devices])

    def _scaled(self, loss):
        return self.sequence_optimizer.get_scaled_loss(loss) if self._scales else loss

    def _unscaled(self, gradients):
        return self.sequence_optimizer.get_unscaled_gradients(gradients) if self._scales else gradients


def triplet_step(
    model: Any,
    optimizer: Any,
    triplets: tf.Tensor,
    clip_norm: float,
    strategy: tf.distribute.Strategy,
    entities_only: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """One device's part of a TransR step (Eq. 1); returns its share of the ranking loss, and the gradient's norm.

    Args:
      model: a `KATRec`.
      optimizer: of its `triplet_variables`.
      triplets: the whole batch, int32[n, 4].
      clip_norm: the gradient's global norm is clipped here.
      strategy: whose replicas share the batch.
      entities_only: whether the embeddings of items and users stay as they are.
    """
    size = tf.shape(triplets)[0]
    device, num_devices = _place(strategy)
    own = triplets[rows_of(device, num_devices, size)]
    with tf.GradientTape() as tape:
        loss, ranking = model.triplet_loss(own, size, entities_only)
    gradients = tape.gradient(loss, model.triplet_variables)
    return ranking, apply(optimizer, gradients, model.triplet_variables, clip_norm, strategy)


def _place(strategy):
    """Returns this device's number and how many there are."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group, strategy.num_replicas_in_sync


def apply(
    optimizer: Any,
    gradients: Sequence[Any],
    variables: Sequence[tf.Variable],
    clip_norm: float,
    strategy: tf.distribute.Strategy,
) -> tf.Tensor:
    """Steps along the sum of all devices' gradients, clipped as one; returns the sum's norm before that.

    Args:
      optimizer: of the variables.
      gradients: this device's part, tensors or `tf.IndexedSlices`.
      variables: what they are of.
      clip_norm: the sum's global norm is clipped here.
      strategy: whose replicas take part.
    """
    # Dense: then a table's step is one operation, and all devices' gradients have one shape.
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    if strategy.num_replicas_in_sync > 1:
        gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    # Clipped as the whole batch's gradient: summed before, not by the optimizer. Mostly it is shorter, and left alone.
    norm = tf.linalg.global_norm(gradients)
    gradients = tf.cond(
        norm > clip_norm, lambda: tf.clip_by_global_norm(gradients, clip_norm, norm)[0], lambda: gradients
    )
    optimizer.apply_gradients(zip(gradients, variables), experimental_aggregate_gradients=False)
    return norm
