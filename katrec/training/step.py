"""Iterations of training: KATRec's TransR steps, then a step of the model's own loss (Section 3.4)."""

import tensorflow as tf

from katrec.models.recommender import replica_rows
from katrec.training.optimizers import WarmupLinearDecay, adam, adamw, create_variables


class TrainSteps(tf.Module):
    """Traced iterations, with both losses' optimizers and the sums of their losses.

    Args:
      model: what is trained, made in the strategy's scope.
      config: the run's settings.
      strategy: `tf.distribute.Strategy`; each of its replicas computes the gradients of its part of every batch.

    Attributes:
      loss_sums: float32[3], the model's `sequence_loss`, TransR's ranking loss and the steps since `take_losses`.
    """

    def __init__(self, model, config, strategy):
        super().__init__()
        self._strategy = strategy
        self._model = model
        self._config = config
        schedule = WarmupLinearDecay(config.learning_rate, config.warmup_steps, config.train_steps)
        optimizer = adamw(schedule, config.weight_decay)
        triplet_schedule = WarmupLinearDecay(
            config.learning_rate, config.warmup_steps * config.kg_steps, config.train_steps * config.kg_steps
        )
        self.triplet_optimizer = adam(triplet_schedule)
        # Variables may not be made inside a traced loop.
        create_variables(optimizer, model.sequence_variables)
        create_variables(self.triplet_optimizer, model.triplet_variables)
        # float16 ends at 6e-8: without a scale most gradients would be zero.
        self._scales = model.precision == "float16"
        self.sequence_optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer) if self._scales else optimizer
        self.loss_sums = tf.Variable(tf.zeros([3]), trainable=False)

    def __call__(self, batches, number, count):
        """Trains on the next batches.

        Args:
          batches: an iterator of `Batches`.
          number: the first iteration's number, from 0.
          count: how many iterations; the graph attention stays as it is.
        """
        self._run(batches, tf.constant(number), tf.constant(count))

    def take_losses(self):
        """Returns the mean sequence and TransR losses since the last call."""
        sequence, triplet, steps = self.loss_sums.numpy()
        self.loss_sums.assign(tf.zeros([3]))
        return float(sequence / max(steps, 1)), float(triplet / max(steps, 1))

    @tf.function
    def _run(self, batches, number, count):
        strategy = self._strategy
        matrices = strategy.run(self._model.graph_matrices)
        for i in tf.range(count):
            losses = strategy.run(self._iterate, args=(*next(batches), number + i, matrices))
            self.loss_sums.assign_add(strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None))

    def _iterate(self, sequences, users, negatives, triplets, number, matrices):
        """One replica's part of an iteration; returns its share of the losses and of the step, float32[3]."""
        model, config = self._model, self._config
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        triplet_loss = 0.0
        if model.triplet_variables:
            for i in range(config.kg_steps):
                triplet_loss += (
                    triplet_step(model, self.triplet_optimizer, triplets[i], config.clip_norm, self._strategy)
                    / config.kg_steps
                )
        num_replicas = self._strategy.num_replicas_in_sync
        with tf.GradientTape() as tape:
            seed = tf.stack([config.seed, number])
            loss = model.sequence_loss(sequences, users, negatives, seed, matrices, replica, num_replicas)
            scaled = self._scaled(loss)
        gradients = self._unscaled(tape.gradient(scaled, model.sequence_variables))
        apply(self.sequence_optimizer, gradients, model.sequence_variables, config.clip_norm, self._strategy)
        return tf.stack([loss, triplet_loss, 1 / num_replicas])

    def _scaled(self, loss):
        return self.sequence_optimizer.get_scaled_loss(loss) if self._scales else loss

    def _unscaled(self, gradients):
        return self.sequence_optimizer.get_unscaled_gradients(gradients) if self._scales else gradients


def triplet_step(model, optimizer, triplets, clip_norm, strategy, entities_only=False):
    """One replica's part of a TransR step (Eq. 1); returns its share of the ranking loss.

    Args:
      model: `KATRec`.
      optimizer: of its `triplet_variables`.
      triplets: the whole batch, int32[n, 4].
      clip_norm: the gradient's global norm is clipped here.
      strategy: `tf.distribute.Strategy`.
      entities_only: whether the embeddings of items and users stay as they are.
    """
    size = tf.shape(triplets)[0]
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    own = triplets[replica_rows(size, replica, strategy.num_replicas_in_sync)]
    with tf.GradientTape() as tape:
        loss, ranking = model.triplet_loss(own, size, entities_only)
    gradients = tape.gradient(loss, model.triplet_variables)
    apply(optimizer, gradients, model.triplet_variables, clip_norm, strategy)
    return ranking


def apply(optimizer, gradients, variables, clip_norm, strategy):
    """Steps along the sum of all replicas' gradients."""
    # Dense: then a table's step is one operation, and all replicas' gradients have one shape.
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    if strategy.num_replicas_in_sync > 1:
        gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    # Clipped as the whole batch's gradient: summed before, not by the optimizer.
    gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
    optimizer.apply_gradients(zip(gradients, variables), experimental_aggregate_gradients=False)
