"""The table of models. A new one is a file beside this one and an entry here; flags, tables and figures follow."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple, Optional

from katrec.common.command_line import UserError
from katrec.settings import ESASREC, NEXT_ITEM, S3REC, Settings


class ModelEntry(NamedTuple):
    """What the project knows of a model before TensorFlow is imported.

    Attributes:
      title: its name in tables and figures.
      path: "module:Class"; the class is called with the settings, a `Dataset` and a precision policy.
      attention_dim: of the settings, the size q that `num_heads` must divide; None for a model without heads.
      pretraining: "module:Class" of the `Pretraining` that its values begin with, or None.
      reads_graph: whether it is trained on a knowledge graph.
      baseline: whether it is there to be compared with KATRec and its extension.
      by_default: whether experiments train it where no models are named, as their time is bounded.
    """

    title: str
    path: str
    attention_dim: Optional[Callable[[Settings], int]] = None
    pretraining: Optional[str] = None
    reads_graph: bool = False
    baseline: bool = True
    by_default: bool = True


def _hidden_dim(settings: Settings) -> int:
    return settings.hidden_dim


def _node_dim(settings: Settings) -> int:
    return settings.node_dim


def _katrec(title):
    path, before = "katrec.models.katrec:KATRec", "katrec.training.graph_pretraining:GraphPretraining"
    return ModelEntry(title, path, _node_dim, before, reads_graph=True, baseline=False)


# In the order of the tables' columns.
MODELS = {
    "bprmf": ModelEntry("BPR-MF", "katrec.models.bprmf:BPRMF"),
    "gru4rec": ModelEntry("GRU4Rec", "katrec.models.gru4rec:GRU4Rec"),
    "gru4rec++": ModelEntry("GRU4Rec++", "katrec.models.gru4rec:GRU4RecPlusPlus"),
    "sasrec": ModelEntry("SASRec", "katrec.models.sasrec:SASRec", _hidden_dim),
    ESASREC: ModelEntry("eSASRec", "katrec.models.sasrec:ESASRec", _hidden_dim, by_default=False),
    "bert4rec": ModelEntry("BERT4Rec", "katrec.models.bert4rec:BERT4Rec", _hidden_dim),
    S3REC: ModelEntry(
        "S3-Rec",
        "katrec.models.s3rec:S3Rec",
        _hidden_dim,
        "katrec.training.self_supervised_pretraining:SelfSupervisedPretraining",
        reads_graph=True,
        by_default=False,
    ),
    "katrec": _katrec("KATRec"),
    # Of the same class: katrec.settings has its own defaults.
    NEXT_ITEM: _katrec("KATRec (next item)"),
}


def check(settings: Settings) -> None:
    """Checks what the settings' ranges cannot say: the model exists, and its heads fit.

    Raises:
      UserError: they make no model.
    """
    if settings.model not in MODELS:
        raise UserError(f"model={settings.model}: choose from {', '.join(MODELS)}")
    attention_dim = MODELS[settings.model].attention_dim
    if attention_dim and attention_dim(settings) % settings.num_heads:
        raise UserError(
            f"num_heads={settings.num_heads} does not divide the hidden size {attention_dim(settings)} of "
            f"{settings.model}"
        )
    if settings.model in ("sasrec", ESASREC, S3REC) and settings.sasrec_loss == "gbce" and not settings.num_samples:
        raise UserError("num_samples=0: sasrec_loss=gbce needs negatives")
    if settings.entity_loss and not settings.attribute_vectors:
        raise UserError(f"entity_loss={settings.entity_loss:g}: needs attribute_vectors, the vectors that it trains")
    # A data set's flags may have explicit users for KATRec; the baselines have none.
    if settings.user_modeling and not settings.head and not MODELS[settings.model].baseline:
        raise UserError("user_modeling=True: needs the head, which joins the user's vector and the hidden state")


def model_class(name: str) -> Any:
    """Returns the class of a model; TensorFlow is imported with it."""
    return load(MODELS[name].path)


def load(path: str) -> Any:
    """Returns the class at a path "module:Class"."""
    module, class_name = path.split(":")
    return getattr(importlib.import_module(module), class_name)
