"""KATRec's variants: the paper's Table 3, other answers to what the paper leaves open, and the extension's parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from katrec.settings import NEXT_ITEM, Settings

PAPER, OPEN, OTHER, EXTENSION = "paper", "open", "other", "next_item"


class Variant(NamedTuple):
    """A variant of KATRec, or of its extension.

    Attributes:
      title: its name in tables.
      group: "paper" (Table 3), "open" (what the paper leaves open), "other", or "next_item", of the extension.
      changes: function from settings to those that the variant changes, {name: value}.
    """

    title: str
    group: str
    changes: Callable[[Settings], dict[str, Any]]

    @property
    def model(self) -> str:
        """The model that it is a variant of."""
        return NEXT_ITEM if self.group == EXTENSION else "katrec"


def _with(**values: Any) -> Callable[[Settings], dict[str, Any]]:
    return lambda settings: values


def _first_layer(settings: Settings) -> dict[str, Any]:
    return {"propagation_dims": settings.propagation_dims[:1]}


def _without_graph(settings: Settings) -> dict[str, Any]:
    """What is left is BERT4Rec's encoder with the same objective and the same block."""
    return {"model": "bert4rec", "hidden_dim": settings.node_dim}


# `--ablation=NAME` is short for the variant's settings.
ABLATIONS = {
    "no_attention": Variant("NoAttention", PAPER, _with(attention="uniform")),
    "level1": Variant("Level-1", PAPER, _first_layer),
    "connection": Variant("Connection", PAPER, _with(transformer_inputs="own")),
    "no_pretrain": Variant("NoPretrain", PAPER, _with(pretrained_embeddings=False)),
    "concat": Variant("Concat", PAPER, _with(fusion=False)),
    "user_modeling": Variant("explicit users", OTHER, _with(user_modeling=True)),
    "no_user_modeling": Variant("no explicit users", OTHER, _with(user_modeling=False)),
    "no_position": Variant("without positions", OTHER, _with(positional_embedding="none")),
    "own_table": Variant("V* of its own", OPEN, _with(item_table="own")),
    "leaky_relu": Variant("σ = Leaky ReLU", OPEN, _with(fusion_activation="leaky_relu")),
    "no_l2_norm": Variant("no L2 norm", OPEN, _with(l2_normalize=False)),
    "differentiable": Variant("differentiable attention", OPEN, _with(attention="differentiable")),
    "sinusoidal": Variant("sinusoidal positions", OPEN, _with(positional_embedding="sinusoidal")),
    "no_head_norm": Variant("no head norm", OPEN, _with(head_layer_norm=False)),
    "relation_dim_64": Variant("k = 64", OPEN, _with(relation_dim=64)),
    "no_last_item": Variant("no last-item samples", OPEN, _with(last_item_share=0.0)),
    "next_item_cloze": Variant("Cloze", EXTENSION, _with(objective="cloze")),
    "next_item_no_graph": Variant("no graph", EXTENSION, _without_graph),
    "next_item_no_neighbours": Variant("no neighbour scores", EXTENSION, _with(neighbour_scores=False)),
    "next_item_no_transitions": Variant("no transitions", EXTENSION, _with(transition_reach=0)),
    "next_item_no_attributes": Variant(
        "no attribute vectors", EXTENSION, _with(attribute_vectors=False, entity_loss=0.0)
    ),
    "next_item_no_entity_loss": Variant("no entity loss", EXTENSION, _with(entity_loss=0.0)),
    "next_item_no_table_dropout": Variant("no item table dropout", EXTENSION, _with(item_table_dropout=0.0)),
    "next_item_no_frequency": Variant("attention alone", EXTENSION, _with(frequency_share=0.0)),
    "next_item_no_pretrain": Variant("no pre-training", EXTENSION, _with(pretrained_embeddings=False)),
    "next_item_tied": Variant("E* alone as table", EXTENSION, _with(item_table="tied")),
    "next_item_post_norm": Variant("post-norm", EXTENSION, _with(layer_norm="post")),
    "next_item_head": Variant("GELU head", EXTENSION, _with(head=True)),
    "next_item_unscaled": Variant("inputs not scaled", EXTENSION, _with(scaled_inputs=False)),
}


def of_group(group: str) -> tuple[str, ...]:
    """Returns the names of a group's variants."""
    return tuple(name for name, variant in ABLATIONS.items() if variant.group == group)
