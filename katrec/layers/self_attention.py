"""Multi-head self-attention (Section 3.3.2)."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from katrec.layers.initializers import KERNEL_INITIALIZERS
from katrec.layers.seeded_dropout import SeededDropout

MASKED_LOGIT = -1e9


@tf.keras.saving.register_keras_serializable(package="katrec")
class SelfAttention(tf.keras.layers.Layer):
    """Scaled dot-product attention of several heads (Section 3.3.2).

        H_j = softmax((V W_j^Q)(V W_j^K)ᵀ / √(q/k)) V W_j^V,   MH(V) = [H_1 ‖ … ‖ H_k] W^O

    Args:
      num_heads: k; it divides q.
      dropout: dropout rate of the attention weights.
      kernel_initializer: of its matrices, one of `KERNEL_INITIALIZERS`.

    Input:
      the positions that are `wanted`, float[B, n, q]; V, float[B, T, q]; `allowed`, bool[B, n or 1, T], which
      positions each of them attends; `seed`, int32[2], or None at inference.

    Output:
      MH(V), float[B, n, q], and the weights, float[B, k, n, T] (query, then key).

    Raises:
      ValueError: k does not divide q.
    """

    def __init__(
        self, num_heads: int = 2, dropout: float = 0.1, kernel_initializer: str = "truncated_normal", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_initializer = kernel_initializer
        self.num_heads = num_heads
        self.dropout = dropout
        self.dropout_layer = SeededDropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: tf.TensorShape) -> None:
        q = input_shape[-1]
        if q % self.num_heads:
            raise ValueError(f"{self.num_heads} heads do not divide the hidden size {q}")
        self.head_dim = q // self.num_heads

        def dense(units, name):
            initializer = KERNEL_INITIALIZERS[self.kernel_initializer]()
            return tf.keras.layers.Dense(
                units, use_bias=False, kernel_initializer=initializer, name=name, dtype=self.dtype_policy
            )

        self.query = dense(q, "query")
        self.key_value = dense(2 * q, "key_value")
        self.output_projection = dense(q, "output")
        super().build(input_shape)

    def call(
        self, wanted: tf.Tensor, x: tf.Tensor, allowed: tf.Tensor, seed: Optional[tf.Tensor] = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        (query,) = self._heads(self.query(wanted), 1)
        key, value = self._heads(self.key_value(x), 2)
        logits = tf.cast(tf.matmul(query * self.head_dim**-0.5, key, transpose_b=True), tf.float32)
        weights = tf.cast(tf.nn.softmax(logits + tf.where(allowed, 0.0, MASKED_LOGIT)[:, None]), x.dtype)
        heads = tf.transpose(self.dropout_layer(weights, seed=seed) @ value, [0, 2, 1, 3])
        return self.output_projection(tf.reshape(heads, tf.shape(wanted))), weights

    def _heads(self, projected, count):
        """Splits float[B, n, count · q] into `count` tensors float[B, k, n, q / k]."""
        shape = tf.shape(projected)
        heads = tf.reshape(projected, [shape[0], shape[1], count, self.num_heads, self.head_dim])
        return tf.unstack(tf.transpose(heads, [2, 0, 3, 1, 4]), num=count)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "kernel_initializer": self.kernel_initializer,
        }
