"""Adam for both losses: decoupled weight decay and a linear schedule, on either software stack (Section 4.2.3)."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-6
NOT_DECAYED = ("bias", "gamma", "beta")


class WarmupLinearDecay(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to `peak` over `warmup_steps`, then falls linearly to 0 at `total_steps`.

    rate(s) = peak · min((s + 1) / warm-up, (total − s) / (total − warm-up))
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps

    def __call__(self, step: Any) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        rising = (step + 1) / max(self.warmup_steps, 1)
        falling = (self.total_steps - step) / max(self.total_steps - self.warmup_steps, 1)
        return self.peak * tf.clip_by_value(tf.minimum(rising, falling), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "total_steps": self.total_steps}


def adamw(schedule: WarmupLinearDecay, weight_decay: float = 0.0) -> Any:
    """Returns Adam whose weight decay is scaled by the learning rate; biases and layer norms do not decay.

        w ← w − rate(s) · (m̂ / (√v̂ + ε) + weight_decay · w)

    Args:
      schedule: of the learning rate.
      weight_decay: the decay's factor.
    """
    # setup.py asks for TensorFlow Addons wherever there are wheels of it.
    make = addons_adamw if importlib.util.find_spec("tensorflow_addons") else keras_adamw
    return make(schedule, weight_decay)


def adam(schedule: WarmupLinearDecay) -> Any:
    """Returns Adam without weight decay. Keras's older one: a table's step is one operation, the newer's are ten.

    Args:
      schedule: of the learning rate.
    """
    return tf.keras.optimizers.legacy.Adam(learning_rate=schedule, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)


def addons_adamw(schedule: WarmupLinearDecay, weight_decay: float) -> Any:
    """The optimizer of TensorFlow Addons, whose decay is not scaled by the learning rate: its schedule does that."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow Addons announces its end of life at every import.
        import tensorflow_addons as tfa

    return tfa.optimizers.AdamW(
        weight_decay=_of_decay(schedule, weight_decay),
        learning_rate=schedule,
        beta_1=BETA_1,
        beta_2=BETA_2,
        epsilon=EPSILON,
        exclude_from_weight_decay=list(NOT_DECAYED),
    )


def keras_adamw(schedule: WarmupLinearDecay, weight_decay: float) -> Any:
    """The same steps and the same checkpoints, so that a run goes on with either, from Keras's older Adam alone."""
    return _AdamW(schedule, _of_decay(schedule, weight_decay))


def _of_decay(schedule, weight_decay):
    return WarmupLinearDecay(schedule.peak * weight_decay, schedule.warmup_steps, schedule.total_steps)


class _AdamW(tf.keras.optimizers.legacy.Adam):
    """Decays dense variables before Adam's step, which does not read their values."""

    def __init__(self, schedule: WarmupLinearDecay, decay: WarmupLinearDecay) -> None:
        super().__init__(learning_rate=schedule, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON, name="AdamW")
        self._decay_schedule = decay

    def _resource_apply_dense(self, grad: Any, var: tf.Variable, apply_state: Any = None) -> Any:
        if not any(name in var.name for name in NOT_DECAYED):
            var.assign_sub(self._decay_schedule(self.iterations) * var, use_locking=self._use_locking)
        return super()._resource_apply_dense(grad, var, apply_state)


def create_variables(optimizer: Any, variables: Sequence[tf.Variable]) -> None:
    """Makes an optimizer's moments, which a traced loop may not make."""
    optimizer._create_all_weights(variables)
