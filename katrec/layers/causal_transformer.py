"""SASRec's left-to-right transformer layer (Kang and McAuley 2018, Section III)."""

import tensorflow as tf

from katrec.layers.initializers import embedding_initializer
from katrec.layers.layer_norm import LayerNorm
from katrec.layers.seeded_dropout import SeededDropout, fold
from katrec.layers.self_attention import SelfAttention


class CausalTransformerLayer(tf.keras.layers.Layer):
    """Self-attention to earlier positions and a point-wise network (Kang and McAuley 2018, Sections III-B and III-C).

        S = E + Dropout(MH(LN(E))),   output = S + Dropout(FFN(LN(S))),   FFN(x) = ReLU(x W¹ + b¹) W² + b²

    Position t attends the positions up to t. Several heads and their output projection are the later common form of
    that paper's single head.

    Args:
      num_heads: k; it divides q.
      hidden_dropout: dropout rate of both sublayers' outputs.
      attention_dropout: dropout rate of the attention weights.

    Input: E, float[B, T, q]; `mask`, bool[B, T], false at padding, which no position attends; `seed`, int32[2], or
      None at inference; `last_only`, whether only the last position is wanted.
    Output: float[B, T, q], with `last_only` float[B, 1, q].
    """

    def __init__(self, num_heads=2, hidden_dropout=0.1, attention_dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.hidden_dropout = hidden_dropout
        self.attention_dropout = attention_dropout
        self.attention = SelfAttention(num_heads, attention_dropout, dtype=self.dtype_policy)
        self.attention_norm = LayerNorm(name="attention_norm", dtype=self.dtype_policy)
        self.network_norm = LayerNorm(name="network_norm", dtype=self.dtype_policy)
        self.dropout = SeededDropout(hidden_dropout, dtype=self.dtype_policy)

    def build(self, input_shape):
        self.inner, self.outer = (
            tf.keras.layers.Dense(
                input_shape[-1],
                activation=activation,
                kernel_initializer=embedding_initializer(),
                name=name,
                dtype=self.dtype_policy,
            )
            for name, activation in (("inner", "relu"), ("outer", None))
        )
        super().build(input_shape)

    def call(self, x, mask, seed=None, last_only=False):
        width = tf.shape(x)[1]
        earlier = tf.range(width)[:, None] >= tf.range(width)
        normed = self.attention_norm(x)
        if last_only:
            x, wanted, earlier = x[:, -1:], normed[:, -1:], earlier[-1:]
        else:
            wanted = normed
        attended, _ = self.attention(wanted, normed, tf.logical_and(mask[:, None], earlier), seed=fold(seed, 0))
        x += self.dropout(attended, seed=fold(seed, 1))
        return x + self.dropout(self.outer(self.inner(self.network_norm(x))), seed=fold(seed, 2))

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden_dropout": self.hidden_dropout,
            "attention_dropout": self.attention_dropout,
        }
