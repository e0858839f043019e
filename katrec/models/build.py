"""From settings to a model with all its variables."""

from __future__ import annotations

import tensorflow as tf

from katrec.data.dataset import Dataset
from katrec.models import precision, registry
from katrec.models.base import RankingModel
from katrec.settings import Settings


def build(settings: Settings, dataset: Dataset) -> RankingModel:
    """Returns the model that `settings` name, all variables made, initial values drawn from their seed.

    Args:
      settings: a run's settings.
      dataset: what it is trained on.

    Raises:
      UserError: the settings make no model.
    """
    registry.check(settings)
    tf.keras.utils.set_random_seed(settings.seed)
    policy = precision.policy(settings.mixed_precision)
    model = registry.model_class(settings.model)(settings, dataset, policy)
    model((tf.zeros([1, 1], tf.int32), tf.zeros([1], tf.int32)))
    return model
