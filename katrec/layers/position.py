"""Positional embedding (Section 3.3.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from katrec.layers.initializers import embedding_initializer

KINDS = ("learned", "sinusoidal", "none")


@tf.keras.saving.register_keras_serializable(package="katrec")
class PositionalEmbedding(tf.keras.layers.Layer):
    """v_i⁽⁰⁾ = e_i* + p_i (Section 3.3.1).

    Sequences end at position T, so a batch of width w ≤ T reads the last w rows of P ∈ ℝ^{T×q}.

    Args:
      max_length: T.
      kind: "learned", "sinusoidal" (Vaswani et al. 2017, Section 3.5), or "none", which leaves the input as it is.

    Input:
      item embeddings float[B, w, q], oldest first, the newest at w − 1.

    Output:
      float[B, w, q].

    Raises:
      ValueError: another kind.
    """

    def __init__(self, max_length: int, kind: str = "learned", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}, it must be one of {', '.join(KINDS)}")
        self.max_length = max_length
        self.kind = kind

    def build(self, input_shape: tf.TensorShape) -> None:
        shape = (self.max_length, input_shape[-1])
        if self.kind == "learned":
            self.table = self.add_weight(name="P", shape=shape, initializer=embedding_initializer())
        elif self.kind == "sinusoidal":
            self.table = tf.constant(sinusoids(*shape), self.compute_dtype)
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        if self.kind == "none":
            return x
        return x + self.table[self.max_length - tf.shape(x)[1] :]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_length": self.max_length, "kind": self.kind}


def sinusoids(length: int, dim: int) -> np.ndarray:
    """Returns float[length, dim]: columns 2i and 2i + 1 are sin and cos of position / 10000^{2i / dim}."""
    angles = np.arange(length)[:, None] / 10000.0 ** (2 * (np.arange(dim) // 2) / dim)
    return np.where(np.arange(dim) % 2 == 0, np.sin(angles), np.cos(angles))
