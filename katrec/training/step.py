"""One iteration: TransR steps, then a Cloze step (Section 3.4)."""

import tensorflow as tf

from katrec.training.optimizers import WarmupLinearDecay, adamw


class TrainStep(tf.Module):
    """The traced iteration, with both losses' optimizers and the sums of their losses.

    Args:
      model: what is trained.
      config: the run's settings.
      signature: the `tf.TensorSpec`s of a batch (`Batches.signature`).

    Attributes:
      loss_sums: float32[3], Cloze loss, TransR ranking loss and steps since `take_losses`.
    """

    def __init__(self, model, config, signature):
        super().__init__()
        self._model = model
        self._config = config
        schedule = WarmupLinearDecay(config.learning_rate, config.warmup_steps, config.train_steps)
        self.sequence_optimizer = adamw(schedule, config.weight_decay)
        triplet_schedule = WarmupLinearDecay(
            config.learning_rate, config.warmup_steps * config.kg_steps, config.train_steps * config.kg_steps
        )
        self.triplet_optimizer = adamw(triplet_schedule)
        self.loss_sums = tf.Variable(tf.zeros([3]), trainable=False)
        self._traced = tf.function(self._iterate, input_signature=[*signature, tf.TensorSpec([], tf.int32)])

    def __call__(self, sequences, users, triplets, number):
        """Trains on one batch; `number` is the iteration's number, from 0."""
        self._traced(sequences, users, triplets, tf.constant(number, tf.int32))

    def take_losses(self):
        """Returns the mean Cloze and TransR losses since the last call."""
        sequence, triplet, steps = self.loss_sums.numpy()
        self.loss_sums.assign(tf.zeros([3]))
        return float(sequence / max(steps, 1)), float(triplet / max(steps, 1))

    def _iterate(self, sequences, users, triplets, number):
        model, config = self._model, self._config
        triplet_loss = 0.0
        if model.triplet_variables:
            for i in range(config.kg_steps):
                triplet_loss += self._triplet_step(triplets[i]) / config.kg_steps
        seed = tf.stack([config.seed, number])
        with tf.GradientTape() as tape:
            loss = model.sequence_loss(sequences, users, seed)
        self._apply(self.sequence_optimizer, tape, loss, model.sequence_variables)
        self.loss_sums.assign_add(tf.stack([loss, triplet_loss, 1.0]))

    def _triplet_step(self, triplets):
        model = self._model
        with tf.GradientTape() as tape:
            loss, ranking = model.triplet_loss(triplets)
        self._apply(self.triplet_optimizer, tape, loss, model.triplet_variables)
        return ranking

    def _apply(self, optimizer, tape, loss, variables):
        gradients = tape.gradient(loss, variables)
        gradients, _ = tf.clip_by_global_norm(gradients, self._config.clip_norm)
        optimizer.apply_gradients(zip(gradients, variables))
