"""The paper's Section 3 as Keras layers.

Its three modules are `TransR` (the scorer of triplets), `KnowledgeGraphEncoder` (node embeddings, ego-network
attention, propagation) and `TransformerEncoder`; `ItemCooccurrence` and `NextItemHead` join them and score items.
"""

from katrec.layers.elementwise import LayerNorm
from katrec.layers.frequency_rescaler import FrequencyRescaler
from katrec.layers.initializers import embedding_initializer
from katrec.layers.item_cooccurrence import ItemCooccurrence, NextItemHead
from katrec.layers.item_table import ItemTable
from katrec.layers.knowledge_graph.encoder import BiInteractionAggregator, KnowledgeGraphEncoder
from katrec.layers.neighbour_scores import NeighbourScores
from katrec.layers.position import PositionalEmbedding
from katrec.layers.seeded_dropout import SeededDropout
from katrec.layers.self_attention import SelfAttention
from katrec.layers.transformer import TransformerEncoder, TransformerLayer
from katrec.layers.transr import TransR

__all__ = [
    "BiInteractionAggregator",
    "FrequencyRescaler",
    "ItemCooccurrence",
    "ItemTable",
    "KnowledgeGraphEncoder",
    "LayerNorm",
    "NeighbourScores",
    "NextItemHead",
    "PositionalEmbedding",
    "SeededDropout",
    "SelfAttention",
    "TransR",
    "TransformerEncoder",
    "TransformerLayer",
    "embedding_initializer",
]
