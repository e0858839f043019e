"""From settings to a model with all its variables."""

import tensorflow as tf

from katrec.data import collaborative_graph
from katrec.models import precision
from katrec.models.bert4rec import BERT4Rec
from katrec.models.katrec import KATRec


def build(config, dataset):
    """Returns the model that `config` names, all variables made, initial values drawn from `config.seed`.

    Args:
      config: a run's settings (`katrec.settings`).
      dataset: `Dataset`.

    Returns:
      The model, and its `CollaborativeGraph`, or None for a model without.
    """
    tf.keras.utils.set_random_seed(config.seed)
    policy = precision.policy(config.mixed_precision)
    if config.model == "katrec":
        graph = collaborative_graph.build(dataset)
        model = KATRec(graph, dataset.num_items, dataset.num_entities, config, policy)
    else:
        graph = None
        model = BERT4Rec(dataset.num_items, config, policy)
    model((tf.zeros([1, 1], tf.int32), tf.zeros([1], tf.int32)))
    return model, graph
