"""The bidirectional transformer layer (Section 3.3.2)."""

import tensorflow as tf

from katrec.layers.gelu import gelu
from katrec.layers.initializers import embedding_initializer
from katrec.layers.layer_norm import LayerNorm
from katrec.layers.seeded_dropout import SeededDropout, fold
from katrec.layers.self_attention import SelfAttention


class TransformerLayer(tf.keras.layers.Layer):
    """Multi-head self-attention and a position-wise feed-forward network, each with residual and layer norm after it.

        H_j = softmax((V W_j^Q)(V W_j^K)ᵀ / √(q/k)) V W_j^V,   MH(V) = [H_1 ‖ … ‖ H_k] W^O
        FF(x) = GELU(x W¹ + b¹) W² + b²
        A = LN(V + Dropout(MH(V))),   output = LN(A + Dropout(FF(A)))

    Args:
      num_heads: k; it divides q.
      hidden_dropout: dropout rate of both sublayers' outputs.
      attention_dropout: dropout rate of the attention weights.

    Input: V, float[B, T, q]; `mask`, bool[B, T], false at padding, which no position attends; `seed`, int32[2], or
      None at inference; `last_only`, whether only the last position is wanted.
    Output: float[B, T, q], with `last_only` float[B, 1, q]; with `return_attention` also the weights, float[B, k, T, T]
      or float[B, k, 1, T] (query, then key).

    Raises:
      ValueError: k does not divide q.
    """

    def __init__(self, num_heads=2, hidden_dropout=0.1, attention_dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.hidden_dropout = hidden_dropout
        self.attention_dropout = attention_dropout
        self.hidden_dropout_layer = SeededDropout(hidden_dropout, dtype=self.dtype_policy)
        self.attention = SelfAttention(num_heads, attention_dropout, dtype=self.dtype_policy)

    def build(self, input_shape):
        q = input_shape[-1]

        def dense(units, name, **kwargs):
            return tf.keras.layers.Dense(
                units, kernel_initializer=embedding_initializer(), name=name, dtype=self.dtype_policy, **kwargs
            )

        self.inner = dense(4 * q, "inner", activation=gelu)
        self.outer = dense(q, "outer")
        self.attention_norm = LayerNorm(name="attention_norm", dtype=self.dtype_policy)
        self.output_norm = LayerNorm(name="output_norm", dtype=self.dtype_policy)
        super().build(input_shape)

    def call(self, x, mask, seed=None, return_attention=False, last_only=False):
        wanted = x[:, -1:] if last_only else x
        attended, weights = self.attention(wanted, x, mask[:, None], seed=fold(seed, 0))
        x = self.attention_norm(wanted + self.hidden_dropout_layer(attended, seed=fold(seed, 1)))
        x = self.output_norm(x + self.hidden_dropout_layer(self.outer(self.inner(x)), seed=fold(seed, 2)))
        return (x, weights) if return_attention else x

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden_dropout": self.hidden_dropout,
            "attention_dropout": self.attention_dropout,
        }
