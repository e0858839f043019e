"""Aggregation and higher-order propagation on the collaborative knowledge graph (Section 3.2)."""

import tensorflow as tf

from katrec.layers.initializers import embedding_initializer
from katrec.layers.seeded_dropout import SeededDropout, fold


class BiInteractionAggregator(tf.keras.layers.Layer):
    """One propagation layer's aggregator (Section 3.2; Wang et al. 2019b).

        f(e_h, e_N) = LeakyReLU(W₁(e_h + e_N)) + LeakyReLU(W₂(e_h ⊙ e_N))

    Args:
      output_dim: d⁽ˡ⁾.

    Input: e⁽ˡ⁻¹⁾ and its ego networks' embeddings e_N⁽ˡ⁻¹⁾, both float[N, d⁽ˡ⁻¹⁾].
    Output: e⁽ˡ⁾, float[N, d⁽ˡ⁾].
    """

    def __init__(self, output_dim, **kwargs):
        super().__init__(**kwargs)
        self.output_dim = output_dim

    def build(self, input_shape):
        shape = (input_shape[0][-1], self.output_dim)
        self.sum_kernel = self.add_weight(name="W1", shape=shape, initializer=embedding_initializer())
        self.product_kernel = self.add_weight(name="W2", shape=shape, initializer=embedding_initializer())
        super().build(input_shape)

    def call(self, inputs):
        node, ego = inputs
        return tf.nn.leaky_relu((node + ego) @ self.sum_kernel) + tf.nn.leaky_relu((node * ego) @ self.product_kernel)

    def get_config(self):
        return {**super().get_config(), "output_dim": self.output_dim}


class KnowledgeGraphEncoder(tf.keras.layers.Layer):
    """L stacked propagation layers (Section 3.2).

        e_h⁽ˡ⁾ = Dropout(f⁽ˡ⁾(e_h⁽ˡ⁻¹⁾, Σ π′(h, r, t) e_t⁽ˡ⁻¹⁾)),   e_h* = [e_h⁽⁰⁾ ‖ … ‖ e_h⁽ᴸ⁾] ∈ ℝ^q

    Args:
      propagation_dims: d⁽¹⁾, …, d⁽ᴸ⁾.
      message_dropout: dropout rate of each layer's output.
      l2_normalize: each layer's output is divided by its norm where it is concatenated, as in KGAT; the next layer
        reads it as it is.

    Input: e⁽⁰⁾, float[N, d]; `propagate`, a function from a layer's number 0 … L − 1 and float[N, c] to its ego
      networks' embeddings, float[N, c], of the last layer float[n, c]: the first n ≤ N nodes are wanted; `seed`,
      int32[2], or None at inference.
    Output: e* of the first n nodes, float[n, q], q = d + Σ d⁽ˡ⁾.
    """

    def __init__(self, propagation_dims=(32, 16, 16), message_dropout=0.1, l2_normalize=True, **kwargs):
        super().__init__(**kwargs)
        self.propagation_dims = tuple(propagation_dims)
        self.message_dropout = message_dropout
        self.l2_normalize = l2_normalize
        self.aggregators = [
            BiInteractionAggregator(dim, name=f"aggregator_{layer + 1}")
            for layer, dim in enumerate(self.propagation_dims)
        ]
        self.dropout = SeededDropout(message_dropout)

    def call(self, nodes, propagate, seed=None):
        outputs = [nodes]
        for layer, aggregator in enumerate(self.aggregators):
            ego = propagate(layer, nodes)
            nodes = self.dropout(aggregator((nodes[: ego.shape[0]], ego)), seed=fold(seed, layer))
            outputs.append(nodes)
        wanted = [output[: nodes.shape[0]] for output in outputs]
        if self.l2_normalize:
            wanted[1:] = [tf.math.l2_normalize(output, axis=-1) for output in wanted[1:]]
        return tf.concat(wanted, axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "propagation_dims": self.propagation_dims,
            "message_dropout": self.message_dropout,
            "l2_normalize": self.l2_normalize,
        }
