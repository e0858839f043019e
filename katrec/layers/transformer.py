"""The transformer over an item sequence (Sections 3.3.1 and 3.3.2)."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from katrec.layers.elementwise import LayerNorm, gelu
from katrec.layers.frequency_rescaler import FrequencyRescaler
from katrec.layers.initializers import KERNEL_INITIALIZERS
from katrec.layers.position import PositionalEmbedding
from katrec.layers.seeded_dropout import SeededDropout
from katrec.layers.seeds import fold
from katrec.layers.self_attention import SelfAttention

ACTIVATIONS = {"gelu": gelu, "relu": tf.nn.relu}


@tf.keras.saving.register_keras_serializable(package="katrec")
class TransformerLayer(tf.keras.layers.Layer):
    """Multi-head self-attention and a position-wise feed-forward network, each with a residual connection.

        H_j = softmax((V W_j^Q)(V W_j^K)ᵀ / √(q/k)) V W_j^V,   MH(V) = [H_1 ‖ … ‖ H_k] W^O
        FF(x) = activation(x W¹ + b¹) W² + b²

    The paper's layer (Section 3.3.2) has the layer norm after each part, inner size 4q and GELU:

        A = LN(V + Dropout(MH(V))),   output = LN(A + Dropout(FF(A)))

    With `pre_norm` it comes before, as in SASRec (Kang and McAuley 2018, Section III), whose network is q wide with a
    ReLU:

        A = V + Dropout(MH(LN(V))),   output = A + Dropout(FF(LN(A)))

    With `gated` it is LiGR's layer (Borisyuk et al. 2025, arXiv 2502.03417), which has the norm before too:

        A = V + σ(V W_A + b_A) ⊙ Dropout(MH(LN(V))),   output = A + σ(A W_F + b_F) ⊙ Dropout(FF(LN(A)))
        FF(x) = (silu(x W¹ + b¹) ⊙ (x W³ + b³)) W² + b²

    With a `frequency_share` α a `FrequencyRescaler` F is mixed into the attention, as in BSARec (Shin et al. 2024):
    (1 − α) MH + α F stands for MH then.

    Args:
      num_heads: k; it divides q.
      hidden_dropout: dropout rate of both parts' outputs.
      attention_dropout: dropout rate of the attention weights.
      inner_factor: the feed-forward network's inner size as a multiple of q.
      activation: "gelu" or "relu"; not read where it is gated.
      pre_norm: whether the layer norms come before the parts.
      causal: whether a position attends only itself and earlier ones.
      gated: whether it is LiGR's layer.
      frequency_share: α; 0 for attention alone.
      kernel_initializer: of the matrices, one of `KERNEL_INITIALIZERS`.

    Input:
      V, float[B, T, q]; `mask`, bool[B, T], false at padding, which no position attends; `seed`, int32[2], or
      None at inference; `positions`, int32[B, n], those of each sequence that are wanted, or None for all; `causal`,
      for another answer than the layer's own.

    Output:
      float[B, n, q]; with `return_attention` also the weights, float[B, k, n, T] (query, then key). n is T where all
      positions are wanted.

    Raises:
      ValueError: k does not divide q, another activation, or a gated layer with the norms after its parts.
    """

    def __init__(
        self,
        num_heads: int = 2,
        hidden_dropout: float = 0.1,
        attention_dropout: float = 0.1,
        inner_factor: int = 4,
        activation: str = "gelu",
        pre_norm: bool = False,
        causal: bool = False,
        gated: bool = False,
        frequency_share: float = 0.0,
        kernel_initializer: str = "truncated_normal",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if activation not in ACTIVATIONS:
            raise ValueError(f"the activation is {activation!r}, it must be one of {sorted(ACTIVATIONS)}")
        if gated and not pre_norm:
            raise ValueError("a gated layer has its norms before its parts: set pre_norm")
        self.num_heads = num_heads
        self.hidden_dropout = hidden_dropout
        self.attention_dropout = attention_dropout
        self.inner_factor = inner_factor
        self.activation = activation
        self.pre_norm = pre_norm
        self.causal = causal
        self.gated = gated
        self.frequency_share = frequency_share
        self.kernel_initializer = kernel_initializer
        self.hidden_dropout_layer = SeededDropout(hidden_dropout, dtype=self.dtype_policy)
        self.attention = SelfAttention(num_heads, attention_dropout, kernel_initializer, dtype=self.dtype_policy)
        self.rescaler = FrequencyRescaler(dtype=self.dtype_policy) if frequency_share else None

    def build(self, input_shape: tf.TensorShape) -> None:
        q = input_shape[-1]

        def dense(units, name, activation=None):
            return tf.keras.layers.Dense(
                units,
                activation=activation,
                kernel_initializer=KERNEL_INITIALIZERS[self.kernel_initializer](),
                name=name,
                dtype=self.dtype_policy,
            )

        inner_dim = self.inner_factor * q
        self.inner = dense(inner_dim, "inner", tf.nn.silu if self.gated else ACTIVATIONS[self.activation])
        self.outer = dense(q, "outer")
        if self.gated:
            self.inner_factors = dense(inner_dim, "inner_factors")
            self.attention_gate = dense(q, "attention_gate", tf.sigmoid)
            self.output_gate = dense(q, "output_gate", tf.sigmoid)
        self.attention_norm = LayerNorm(name="attention_norm", dtype=self.dtype_policy)
        self.output_norm = LayerNorm(name="output_norm", dtype=self.dtype_policy)
        super().build(input_shape)

    def call(
        self,
        x: tf.Tensor,
        mask: tf.Tensor,
        seed: Optional[tf.Tensor] = None,
        return_attention: bool = False,
        positions: Optional[tf.Tensor] = None,
        causal: Optional[bool] = None,
    ) -> Any:
        read = self.attention_norm(x) if self.pre_norm else x
        wanted, allowed = read, mask[:, None]
        places = tf.range(tf.shape(x)[1])
        wanted_places = places
        if positions is not None:
            wanted, wanted_places = tf.gather(read, positions, batch_dims=1), positions
            x = tf.gather(x, positions, batch_dims=1) if self.pre_norm else wanted
        if self.causal if causal is None else causal:
            allowed = tf.logical_and(allowed, wanted_places[..., None] >= places)
        attended, weights = self.attention(wanted, read, allowed, seed=fold(seed, 0))
        if self.rescaler:
            rescaled = self.rescaler(wanted, read, allowed)
            attended = (1 - self.frequency_share) * attended + self.frequency_share * rescaled
        attended = self.hidden_dropout_layer(attended, seed=fold(seed, 1))
        x += self.attention_gate(x) * attended if self.gated else attended
        if self.pre_norm:
            output = self._feed_forward(self.output_norm(x), fold(seed, 2))
            x += self.output_gate(x) * output if self.gated else output
        else:
            x = self.attention_norm(x)
            x = self.output_norm(x + self._feed_forward(x, fold(seed, 2)))
        return (x, weights) if return_attention else x

    def _feed_forward(self, x, seed):
        inner = self.inner(x) * self.inner_factors(x) if self.gated else self.inner(x)
        return self.hidden_dropout_layer(self.outer(inner), seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden_dropout": self.hidden_dropout,
            "attention_dropout": self.attention_dropout,
            "inner_factor": self.inner_factor,
            "activation": self.activation,
            "pre_norm": self.pre_norm,
            "causal": self.causal,
            "gated": self.gated,
            "frequency_share": self.frequency_share,
            "kernel_initializer": self.kernel_initializer,
        }


@tf.keras.saving.register_keras_serializable(package="katrec")
class TransformerEncoder(tf.keras.layers.Layer):
    """Positions are added to an item sequence's embeddings, and M layers read it (Sections 3.3.1 and 3.3.2).

        v_i⁽⁰⁾ = Dropout(e_i + p_i),   V⁽ᵐ⁾ = layer_m(V⁽ᵐ⁻¹⁾)

    Bidirectional and post-norm as in the paper, or with `causal` and `pre_norm` SASRec's, which has a last layer norm.
    With `input_norm` it begins with one, as BERT: v_i⁽⁰⁾ = Dropout(LN(e_i + p_i)).

    With `recurrent_inputs` gated recurrent units (Cho et al. 2014) read v⁽⁰⁾ from left to right, and their states h_i
    are added to it: v_i⁽⁰⁾ + Dropout(h_i). Recurrent units before attention are the R-Transformer's (Wang et al. 2019,
    arXiv 1907.05572), which has them in each layer and over a few positions.

    Args:
      max_length: T.
      num_layers: M.
      positional_embedding: kind of P, see `PositionalEmbedding`.
      num_heads: k, as all the following as in `TransformerLayer`.
      hidden_dropout: also that of the embeddings.
      attention_dropout: of the attention weights.
      inner_factor: the feed-forward network's inner size as a multiple of q.
      activation: its activation.
      pre_norm: whether the layer norms come before the parts.
      causal: whether a position attends only itself and earlier ones.
      gated: whether they are LiGR's layers.
      frequency_share: of the frequency rescalers in them.
      kernel_initializer: of their matrices.
      input_norm: whether the sum of embeddings and positions is normalised.
      recurrent_inputs: whether the recurrent units are there.

    Input:
      embeddings, float[B, w, q], w ≤ T, right-aligned; `mask`, `seed`, `causal` as in `TransformerLayer`; `positions`,
      int32[B, n], those that are wanted of the last layer, which computes no others, or None for all.

    Output:
      V⁽ᴹ⁾ at these positions, float[B, n, q]; with `return_attention` also the layers' attention weights, a list.

    Raises:
      ValueError: as `TransformerLayer` and `PositionalEmbedding`.
    """

    def __init__(
        self,
        max_length: int,
        num_layers: int = 2,
        positional_embedding: str = "learned",
        num_heads: int = 2,
        hidden_dropout: float = 0.1,
        attention_dropout: float = 0.1,
        inner_factor: int = 4,
        activation: str = "gelu",
        pre_norm: bool = False,
        causal: bool = False,
        gated: bool = False,
        frequency_share: float = 0.0,
        kernel_initializer: str = "truncated_normal",
        input_norm: bool = False,
        recurrent_inputs: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.recurrent_inputs = recurrent_inputs
        self.max_length = max_length
        self.num_layers = num_layers
        self.positional_embedding = positional_embedding
        self.layer_options: dict[str, Any] = {
            "num_heads": num_heads,
            "hidden_dropout": hidden_dropout,
            "attention_dropout": attention_dropout,
            "inner_factor": inner_factor,
            "activation": activation,
            "pre_norm": pre_norm,
            "causal": causal,
            "gated": gated,
            "frequency_share": frequency_share,
            "kernel_initializer": kernel_initializer,
        }
        self.position = PositionalEmbedding(max_length, positional_embedding, dtype=self.dtype_policy)
        self.input_norm = LayerNorm(name="input_norm", dtype=self.dtype_policy) if input_norm else None
        self.input_dropout = SeededDropout(hidden_dropout, dtype=self.dtype_policy)
        self.layers = [
            TransformerLayer(**self.layer_options, dtype=self.dtype_policy, name=f"layer_{number}")
            for number in range(num_layers)
        ]
        self.norm = LayerNorm(name="norm", dtype=self.dtype_policy) if pre_norm else None

    def build(self, input_shape: tf.TensorShape) -> None:
        if self.recurrent_inputs:
            self.recurrent = tf.keras.layers.GRU(
                input_shape[-1], return_sequences=True, dtype=self.dtype_policy, name="recurrent"
            )
        super().build(input_shape)

    def call(
        self,
        embeddings: tf.Tensor,
        mask: tf.Tensor,
        seed: Optional[tf.Tensor] = None,
        return_attention: bool = False,
        positions: Optional[tf.Tensor] = None,
        causal: Optional[bool] = None,
    ) -> Any:
        x = self.position(embeddings)
        x = self.input_dropout(self.input_norm(x) if self.input_norm else x, seed=fold(seed, 0))
        if self.recurrent_inputs:
            x += self.input_dropout(self.recurrent(x, mask=mask), seed=fold(seed, self.num_layers + 1))
        attention = []
        for number, layer in enumerate(self.layers, start=1):
            x, weights = layer(
                x,
                mask,
                seed=fold(seed, number),
                return_attention=True,
                positions=positions if number == self.num_layers else None,
                causal=causal,
            )
            attention.append(weights)
        x = self.norm(x) if self.norm else x
        return (x, attention) if return_attention else x

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "num_layers": self.num_layers,
            "positional_embedding": self.positional_embedding,
            **self.layer_options,
            "input_norm": self.input_norm is not None,
            "recurrent_inputs": self.recurrent_inputs,
        }


def last_position(sequences: tf.Tensor) -> tf.Tensor:
    """Returns the `positions` of the last one alone, int32[B, 1], of sequences [B, w, …]."""
    shape = tf.shape(sequences)
    return tf.fill([shape[0], 1], shape[1] - 1)
