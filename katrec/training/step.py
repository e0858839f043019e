"""Iterations of training: TransR steps, then a Cloze step (Section 3.4)."""

import tensorflow as tf

from katrec.training.optimizers import WarmupLinearDecay, adam, adamw, create_variables


class TrainSteps(tf.Module):
    """Traced iterations, with both losses' optimizers and the sums of their losses.

    Args:
      model: what is trained, made in the strategy's scope.
      config: the run's settings.
      strategy: `tf.distribute.Strategy`; each of its replicas computes the gradients of its part of every batch.

    Attributes:
      loss_sums: float32[3], Cloze loss, TransR ranking loss and steps since `take_losses`.
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
        """Returns the mean Cloze and TransR losses since the last call."""
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

    def _iterate(self, sequences, users, triplets, number, matrices):
        """One replica's part of an iteration; returns its share of the losses and of the step, float32[3]."""
        model, config = self._model, self._config
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        triplet_loss = 0.0
        if model.triplet_variables:
            for i in range(config.kg_steps):
                triplet_loss += self._triplet_step(triplets[i], replica) / config.kg_steps
        num_replicas = self._strategy.num_replicas_in_sync
        with tf.GradientTape() as tape:
            seed = tf.stack([config.seed, number])
            loss = model.sequence_loss(sequences, users, seed, matrices, replica, num_replicas)
            scaled = self._scaled(loss)
        gradients = self._unscaled(tape.gradient(scaled, model.sequence_variables))
        self._apply(self.sequence_optimizer, gradients, model.sequence_variables)
        return tf.stack([loss, triplet_loss, 1 / num_replicas])

    def _triplet_step(self, triplets, replica):
        model, num_replicas = self._model, self._strategy.num_replicas_in_sync
        size = tf.shape(triplets)[0]
        own = triplets[replica * size // num_replicas:(replica + 1) * size // num_replicas]
        with tf.GradientTape() as tape:
            loss, ranking = model.triplet_loss(own, size)
        self._apply(self.triplet_optimizer, tape.gradient(loss, model.triplet_variables), model.triplet_variables)
        return ranking

    def _scaled(self, loss):
        return self.sequence_optimizer.get_scaled_loss(loss) if self._scales else loss

    def _unscaled(self, gradients):
        return self.sequence_optimizer.get_unscaled_gradients(gradients) if self._scales else gradients

    def _apply(self, optimizer, gradients, variables):
        # Dense: then a table's step is one operation, and all replicas' gradients have one shape.
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        if self._strategy.num_replicas_in_sync > 1:
            gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        # Clipped as the whole batch's gradient: summed before, not by the optimizer.
        gradients, _ = tf.clip_by_global_norm(gradients, self._config.clip_norm)
        optimizer.apply_gradients(zip(gradients, variables), experimental_aggregate_gradients=False)
