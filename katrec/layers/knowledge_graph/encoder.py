"""The knowledge graph encoder: node embeddings, attention and higher-order propagation (Section 3.2)."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import tensorflow as tf

from katrec.layers.initializers import embedding_initializer
from katrec.layers.knowledge_graph.attention import ego_network_attention, uniform_attention
from katrec.layers.knowledge_graph.edges import AttentionMatrix, EgoNetworks
from katrec.layers.knowledge_graph.first_rows import with_first_rows
from katrec.layers.packing import packed, unpacked
from katrec.layers.seeded_dropout import SeededDropout
from katrec.layers.seeds import fold
from katrec.layers.tracing import traced
from katrec.layers.transr import TransR

ATTENTION = ("refreshed", "differentiable", "uniform")


@tf.keras.saving.register_keras_serializable(package="katrec")
class BiInteractionAggregator(tf.keras.layers.Layer):
    """One propagation layer's aggregator (Section 3.2; Wang et al. 2019b).

        f(e_h, e_N) = LeakyReLU(W₁(e_h + e_N)) + LeakyReLU(W₂(e_h ⊙ e_N))

    Args:
      output_dim: d⁽ˡ⁾.

    Input:
      e⁽ˡ⁻¹⁾ and its ego networks' embeddings e_N⁽ˡ⁻¹⁾, both float[N, d⁽ˡ⁻¹⁾].

    Output:
      e⁽ˡ⁾, float[N, d⁽ˡ⁾].
    """

    def __init__(self, output_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_dim = output_dim

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[0][-1], self.output_dim)
        self.sum_kernel = self.add_weight(name="W1", shape=shape, initializer=embedding_initializer())
        self.product_kernel = self.add_weight(name="W2", shape=shape, initializer=embedding_initializer())
        super().build(input_shape)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        node, ego = inputs
        return tf.nn.leaky_relu((node + ego) @ self.sum_kernel) + tf.nn.leaky_relu((node * ego) @ self.product_kernel)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_dim": self.output_dim}


@tf.keras.saving.register_keras_serializable(package="katrec")
class KnowledgeGraphEncoder(tf.keras.layers.Layer):
    """Node embeddings, attention over their ego networks, and L stacked propagation layers (Section 3.2).

        e_h⁽ˡ⁾ = Dropout(f⁽ˡ⁾(e_h⁽ˡ⁻¹⁾, Σ π′(h, r, t) e_t⁽ˡ⁻¹⁾)),   e_h* = [e_h⁽⁰⁾ ‖ … ‖ e_h⁽ᴸ⁾] ∈ ℝ^q,   q = d + Σ d⁽ˡ⁾

    f is the `BiInteractionAggregator`, π′ the `ego_network_attention` by TransR's matrices.

    Args:
      heads: int[E], h of the graph's edges (h, r, t).
      relations: int[E], their r.
      tails: int[E], their t.
      num_nodes: N.
      num_relations: |R′|.
      entity_dim: d.
      relation_dim: k.
      propagation_dims: d⁽¹⁾, …, d⁽ᴸ⁾.
      message_dropout: dropout rate of each layer's output.
      l2_normalize: each layer's output is divided by its norm where it is concatenated, as in KGAT; the next layer
        reads it as it is.
      attention: "refreshed": π′ is a variable, which `refresh` computes; "differentiable": π′ is computed in each call,
        with its gradient; "uniform": every neighbour of a node has the same weight.
      num_outputs: n, how many of the first nodes' e* are wanted; all, if not given. The last layer is computed for
        these alone.

    Input:
      `seed`, int32[2], or None at inference; `matrices`, what `attention_matrices` returned since the last
      `refresh`, made in the call where it is None.

    Output:
      e* of the first n nodes, float[n, q].

    Attributes:
      edges: int32[3, E], heads, relations and tails as they were given.
      nodes: e⁽⁰⁾, float[N, d].
      transr: the `TransR` scorer of the same relations.
      attention_weights: π′ of every edge since the last `refresh`, float[E], in the row order of `networks`.
      networks: the `EgoNetworks`.

    Raises:
      ValueError: an edge names a node outside 0 … N − 1, or another kind of attention.
    """

    def __init__(
        self,
        heads: np.ndarray,
        relations: np.ndarray,
        tails: np.ndarray,
        num_nodes: int,
        num_relations: int,
        entity_dim: int = 64,
        relation_dim: int = 32,
        propagation_dims: tuple[int, ...] = (32, 16, 16),
        message_dropout: float = 0.1,
        l2_normalize: bool = True,
        attention: str = "refreshed",
        num_outputs: Optional[int] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if attention not in ATTENTION:
            raise ValueError(f"attention is {attention!r}, it must be one of {', '.join(ATTENTION)}")
        self.edges = np.stack([heads, relations, tails]).astype(np.int32)
        heads, relations, tails = self.edges
        self.num_nodes = num_nodes
        self.num_relations = num_relations
        self.entity_dim = entity_dim
        self.relation_dim = relation_dim
        self.propagation_dims = tuple(propagation_dims)
        self.message_dropout = message_dropout
        self.l2_normalize = l2_normalize
        self.attention = attention
        self.num_outputs = num_outputs
        self.networks = EgoNetworks(heads, relations, tails, num_nodes)
        self.nodes = self.add_weight(name="nodes", shape=(num_nodes, entity_dim), initializer=embedding_initializer())
        self.transr = TransR(num_relations, relation_dim)
        self.transr.build([self.nodes.shape])
        self.attention_weights = self.add_weight(
            name="attention_weights", shape=self.networks.heads.shape, initializer="zeros", trainable=False
        )
        self.aggregators = [
            BiInteractionAggregator(dim, name=f"aggregator_{layer}")
            for layer, dim in enumerate(self.propagation_dims, start=1)
        ]
        self.dropout = SeededDropout(message_dropout)
        # Traced once: a refresh in the middle of a training run is one call.
        self._current_attention = traced(self.current_attention)
        self.refresh()

    def current_attention(self) -> tf.Tensor:
        """Returns π′ of the present embeddings with its gradient, float[E] in the row order of `networks`."""
        if self.attention == "uniform":
            return uniform_attention(self.networks)
        return ego_network_attention(self.networks, self.nodes, self.transr.projection, self.transr.relation)

    def refresh(self) -> None:
        """Computes `attention_weights` from the present embeddings, without gradient."""
        self.attention_weights.assign(self._current_attention())

    def attention_matrices(self) -> Optional[list[AttentionMatrix]]:
        """Returns π′ of each propagation layer as a sparse matrix, to be used until the next `refresh`.

        None where the attention is differentiable and so never the same.
        """
        return None if self.attention == "differentiable" else self._matrices(self.attention_weights)

    def _matrices(self, weights):
        *before, _ = self.propagation_dims
        last = self.networks.matrix(weights, self.num_outputs)
        return [self.networks.matrix(weights)] * len(before) + [last] if before else [last]

    def call(self, seed: Optional[tf.Tensor] = None, matrices: Optional[list[AttentionMatrix]] = None) -> tf.Tensor:
        if matrices is None:
            different = self.attention == "differentiable"
            matrices = self._matrices(self.current_attention() if different else self.attention_weights)
        nodes, num_outputs = tf.convert_to_tensor(self.nodes), matrices[-1].num_rows
        outputs = []
        for layer, (aggregator, matrix) in enumerate(zip(self.aggregators, matrices)):
            nodes, wanted = with_first_rows(nodes, num_outputs)
            outputs.append(wanted)
            # The last layer is computed for the wanted nodes alone.
            own = wanted if matrix.num_rows == num_outputs else nodes
            ego = self.networks.propagate(matrix, nodes)
            nodes = self.dropout(aggregator((own, ego)), seed=fold(seed, layer))
        outputs.append(nodes)
        if self.l2_normalize:
            outputs[1:] = [tf.math.l2_normalize(output, axis=-1) for output in outputs[1:]]
        return tf.concat(outputs, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **{name: packed(row) for name, row in zip(("heads", "relations", "tails"), self.edges)},
            "num_nodes": self.num_nodes,
            "num_relations": self.num_relations,
            "entity_dim": self.entity_dim,
            "relation_dim": self.relation_dim,
            "propagation_dims": self.propagation_dims,
            "message_dropout": self.message_dropout,
            "l2_normalize": self.l2_normalize,
            "attention": self.attention,
            "num_outputs": self.num_outputs,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> KnowledgeGraphEncoder:
        edges = {name: unpacked(config[name]) for name in ("heads", "relations", "tails")}
        return cls(**{**config, **edges})
