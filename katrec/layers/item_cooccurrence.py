"""The output layer (Section 3.3.3): fused item embeddings and the next item's scores."""

from __future__ import annotations

from typing import Any, Union

import tensorflow as tf

from katrec.layers.elementwise import LayerNorm, gelu
from katrec.layers.initializers import embedding_initializer

ACTIVATIONS = {"gelu": gelu, "leaky_relu": tf.nn.leaky_relu}


@tf.keras.saving.register_keras_serializable(package="katrec")
class ItemCooccurrence(tf.keras.layers.Layer):
    """Fuses the item embeddings of both modules (Section 3.3.3).

        Ê = σ((V* ‖ E*) Ŵ + b̂)

    Args:
      activation: σ, "gelu" or "leaky_relu".

    Input:
      V*, the sequential module's item embeddings, and E*, the knowledge graph's, both float[|I|, q]; or E* alone where
      V* is the same table: then (E* ‖ E*) Ŵ is E* times the sum of Ŵ's halves.

    Output:
      Ê, float[|I|, q].

    Raises:
      ValueError: another activation.
    """

    def __init__(self, activation: str = "gelu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if activation not in ACTIVATIONS:
            raise ValueError(f"the activation is {activation!r}, it must be one of {sorted(ACTIVATIONS)}")
        self.activation = activation

    def build(self, input_shape: Any) -> None:
        sequential, graph = (input_shape, input_shape) if isinstance(input_shape[-1], int) else input_shape
        q = graph[-1]
        self.kernel = self.add_weight(name="kernel", shape=(sequential[-1] + q, q), initializer=embedding_initializer())
        self.bias = self.add_weight(name="bias", shape=(q,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: Union[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]) -> tf.Tensor:
        if isinstance(inputs, (tuple, list)):
            product = tf.concat(inputs, axis=-1) @ self.kernel
        else:
            product = inputs @ tf.add_n(tf.split(self.kernel, 2))
        return ACTIVATIONS[self.activation](product + self.bias)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": self.activation}


@tf.keras.saving.register_keras_serializable(package="katrec")
class NextItemHead(tf.keras.layers.Layer):
    """The vectors whose products with the item embeddings are the next item's scores (Section 3.3.3).

        P(I) = softmax(GELU(v W_P + b_P) Êᵀ + b_O)

    `call` gives GELU(v W_P + b_P), `logits` the softmax's argument, so that a caller may score some items only. Without
    `transform`, which is not the paper's, v itself is multiplied.

    Args:
      num_items: |I|.
      output_dim: q, the size of the item embeddings.
      layer_norm: a layer norm after the GELU, as BERT's output head has.
      transform: whether there is the GELU layer.

    Input:
      hidden states v⁽ᴹ⁾, float[n, c]; c = q without `transform`.

    Output:
      float[n, q].
    """

    def __init__(
        self, num_items: int, output_dim: int, layer_norm: bool = True, transform: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_items = num_items
        self.output_dim = output_dim
        self.layer_norm = layer_norm
        self.transform = self.norm = None
        if transform:
            self.transform = tf.keras.layers.Dense(
                output_dim,
                activation=gelu,
                kernel_initializer=embedding_initializer(),
                name="transform",
                dtype=self.dtype_policy,
            )
            self.norm = LayerNorm(name="norm", dtype=self.dtype_policy) if layer_norm else None
        # float32 in a layer of any compute type: scores are made outside of `call`.
        self.bias = self.add_weight(name="bias", shape=(num_items,), initializer="zeros", experimental_autocast=False)

    def call(self, hidden: tf.Tensor) -> tf.Tensor:
        vectors = self.transform(hidden) if self.transform else hidden
        return self.norm(vectors) if self.norm else vectors

    def logits(self, vectors: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Returns vectors Êᵀ + b_O, float[n, |I|], of `vectors` float[n, q] and Ê float[|I|, q]."""
        return tf.matmul(vectors, items, transpose_b=True) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_items": self.num_items,
            "output_dim": self.output_dim,
            "layer_norm": self.layer_norm,
            "transform": self.transform is not None,
        }
