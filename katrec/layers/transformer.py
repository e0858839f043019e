"""The bidirectional transformer layer (Section 3.3.2)."""

import tensorflow as tf

from katrec.layers.gelu import gelu
from katrec.layers.initializers import embedding_initializer
from katrec.layers.layer_norm import LayerNorm
from katrec.layers.seeded_dropout import SeededDropout, fold

MASKED_LOGIT = -1e9

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
        self.attention_dropout_layer = SeededDropout(attention_dropout, dtype=self.dtype_policy)

    def build(self, input_shape):
        q = input_shape[-1]
        if q % self.num_heads:
            raise ValueError(f"{self.num_heads} heads do not divide the hidden size {q}")
        self.head_dim = q // self.num_heads

        def dense(units, name, **kwargs):
            return tf.keras.layers.Dense(
                units, kernel_initializer=embedding_initializer(), name=name, dtype=self.dtype_policy, **kwargs
            )

        self.query = dense(q, "query", use_bias=False)
        self.key_value = dense(2 * q, "key_value", use_bias=False)
        self.output_projection = dense(q, "output", use_bias=False)
        self.inner = dense(4 * q, "inner", activation=gelu)
        self.outer = dense(q, "outer")
        self.attention_norm = LayerNorm(name="attention_norm", dtype=self.dtype_policy)
        self.output_norm = LayerNorm(name="output_norm", dtype=self.dtype_policy)
        super().build(input_shape)

    def call(self, x, mask, seed=None, return_attention=False, last_only=False):
        wanted = x[:, -1:] if last_only else x
        attended, weights = self._attend(wanted, x, mask, fold(seed, 0))
        x = self.attention_norm(wanted + self.hidden_dropout_layer(attended, seed=fold(seed, 1)))
        x = self.output_norm(x + self.hidden_dropout_layer(self.outer(self.inner(x)), seed=fold(seed, 2)))
        return (x, weights) if return_attention else x

    def _attend(self, wanted, x, mask, seed):
        query, = self._heads(self.query(wanted), 1)
        key, value = self._heads(self.key_value(x), 2)
        logits = tf.cast(tf.matmul(query * self.head_dim ** -0.5, key, transpose_b=True), tf.float32)
        weights = tf.cast(tf.nn.softmax(logits + tf.where(mask, 0.0, MASKED_LOGIT)[:, None, None, :]), x.dtype)
        heads = tf.transpose(self.attention_dropout_layer(weights, seed=seed) @ value, [0, 2, 1, 3])
        return self.output_projection(tf.reshape(heads, tf.shape(wanted))), weights

    def _heads(self, projected, count):
        """Splits float[B, n, count · q] into `count` tensors float[B, k, n, q / k]."""
        shape = tf.shape(projected)
        heads = tf.reshape(projected, [shape[0], shape[1], count, self.num_heads, self.head_dim])
        return tf.unstack(tf.transpose(heads, [2, 0, 3, 1, 4]), num=count)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden_dropout": self.hidden_dropout,
            "attention_dropout": self.attention_dropout,
        }
