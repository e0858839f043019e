"""The paper's Section 3 as Keras layers, and its baselines'."""

from katrec.layers.causal_transformer import CausalTransformerLayer
from katrec.layers.ego_network import EgoNetworks
from katrec.layers.ego_network_attention import EgoNetworkAttention
from katrec.layers.initializers import embedding_initializer
from katrec.layers.item_cooccurrence import ItemCooccurrence, NextItemHead
from katrec.layers.knowledge_graph_encoder import BiInteractionAggregator, KnowledgeGraphEncoder
from katrec.layers.position import PositionalEmbedding
from katrec.layers.seeded_dropout import SeededDropout
from katrec.layers.transformer import TransformerLayer
from katrec.layers.transr import TransR

__all__ = [
    "BiInteractionAggregator",
    "CausalTransformerLayer",
    "EgoNetworkAttention",
    "EgoNetworks",
    "ItemCooccurrence",
    "KnowledgeGraphEncoder",
    "NextItemHead",
    "PositionalEmbedding",
    "SeededDropout",
    "TransR",
    "TransformerLayer",
    "embedding_initializer",
]
