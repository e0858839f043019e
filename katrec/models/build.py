"""From settings to a model with all its variables."""

import numpy as np
import tensorflow as tf

from katrec.data import collaborative_graph
from katrec.models import precision
from katrec.models.bert4rec import BERT4Rec
from katrec.models.bprmf import BPRMF
from katrec.models.gru4rec import GRU4Rec
from katrec.models.katrec import KATRec
from katrec.models.sasrec import SASRec


def build(config, dataset):
    """Returns the model that `config` names, all variables made, initial values drawn from `config.seed`.

    Args:
      config: a run's settings (`katrec.settings`).
      dataset: `Dataset`.

    Returns:
      The model, and its `CollaborativeGraph`, or None for a model without.
    """
    tf.keras.utils.set_random_seed(config.seed)
    graph = collaborative_graph.build(dataset) if config.model == "katrec" else None
    model = _model(config, dataset, graph)
    model((tf.zeros([1, 1], tf.int32), tf.zeros([1], tf.int32)))
    return model, graph


def _model(config, dataset, graph):
    policy = precision.policy(config.mixed_precision)
    if config.model == "katrec":
        return KATRec(graph, dataset.num_items, dataset.num_entities, config, policy)
    if config.model == "bert4rec":
        return BERT4Rec(dataset.num_items, config, policy)
    if config.model == "sasrec":
        return SASRec(dataset.num_items, config, policy)
    if config.model == "bprmf":
        return BPRMF(dataset.num_items, dataset.num_users, config.hidden_dim, config.bpr_l2)
    popularity = np.bincount(dataset.items, minlength=dataset.num_items)
    loss = config.gru4rec_loss if config.model == "gru4rec" else config.gru4recpp_loss
    return GRU4Rec(dataset.num_items, popularity, config, loss, policy)
