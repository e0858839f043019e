"""Iterations of training: KATRec's TransR steps, then a step of the model's own loss (Section 3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from katrec.models.base import Batch, Context, RankingModel
from katrec.settings import Settings
from katrec.training.devices import rows_of
from katrec.training.optimizers import WarmupLinearDecay, adam, adamw, create_variables


class TrainSteps(tf.Module):
    """Traced iterations, with both losses' optimizers and the sums of their losses.

    Args:
      model: what is trained, made in the strategy's scope.
      settings: the run's settings.
      strategy: each of its replicas computes the gradients of its part of every batch.

    Attributes:
      loss_sums: float32[3], the model's `loss`, TransR's ranking loss and the steps since `take_losses`.
    """

    def __init__(self, model: RankingModel, settings: Settings, strategy: tf.distribute.Strategy) -> None:
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
        self.loss_sums = tf.Variable(tf.zeros([3]), trainable=False)

    def __call__(self, batches: Iterator[tuple], number: int, count: int) -> None:
        """Trains on the next batches.

        Args:
          batches: an iterator of `Batches`.
          number: the first iteration's number, from 0.
          count: how many iterations; the graph attention stays as it is.
        """
        self._run(batches, tf.constant(number), tf.constant(count))

    def take_losses(self) -> tuple[float, float]:
        """Returns the mean losses since the last call: the model's, and TransR's."""
        sequence, triplet, steps = self.loss_sums.numpy()
        self.loss_sums.assign(tf.zeros([3]))
        return float(sequence / max(steps, 1)), float(triplet / max(steps, 1))

    @tf.function
    def _run(self, batches, number, count):
        strategy = self._strategy
        graph = strategy.run(self._model.graph_matrices)
        for i in tf.range(count):
            losses = strategy.run(self._iterate, args=(Batch(*next(batches)), number + i, graph))
            self.loss_sums.assign_add(strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None))

    def _iterate(self, batch, number, graph):
        """One device's part of an iteration; returns its share of the losses and of the step, float32[3]."""
        model, settings = self._model, self._settings
        triplet_loss = 0.0
        if model.triplet_variables:
            for i in range(settings.kg_steps):
                ranking = triplet_step(
                    model, self.triplet_optimizer, batch.triplets[i], settings.clip_norm, self._strategy
                )
                triplet_loss += ranking / settings.kg_steps
        device, num_devices = _place(self._strategy)
        rows = rows_of(device, num_devices, tf.shape(batch.sequences)[0])
        with tf.GradientTape() as tape:
            loss = model.loss(batch, Context(tf.stack([settings.seed, number]), rows, device, graph))
            scaled = self._scaled(loss)
        gradients = self._unscaled(tape.gradient(scaled, model.sequence_variables))
        apply(self.sequence_optimizer, gradients, model.sequence_variables, settings.clip_norm, self._strategy)
        return tf.stack([loss, triplet_loss, 1 / num_devices])

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
) -> tf.Tensor:
    """One device's part of a TransR step (Eq. 1); returns its share of the ranking loss.

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
    apply(optimizer, gradients, model.triplet_variables, clip_norm, strategy)
    return ranking


def _place(strategy):
    """Returns this device's number and how many there are."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group, strategy.num_replicas_in_sync


def apply(
    optimizer: Any,
    gradients: Sequence[Any],
    variables: Sequence[tf.Variable],
    clip_norm: float,
    strategy: tf.distribute.Strategy,
) -> None:
    """Steps along the sum of all devices' gradients, clipped as one.

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
    # Clipped as the whole batch's gradient: summed before, not by the optimizer.
    gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
    optimizer.apply_gradients(zip(gradients, variables), experimental_aggregate_gradients=False)
