"""GELU and layer normalisation with gradients of few passes over memory."""

from __future__ import annotations

import math

import tensorflow as tf

EPSILON = 1e-12  # BERT's


@tf.custom_gradient
def gelu(x: tf.Tensor) -> tf.Tensor:
    """Returns x Φ(x) (Section 3.3.2), Φ the normal distribution's, of float[…]; its derivative is Φ(x) + x φ(x).

    The same numbers as `tf.nn.gelu(x)`, in three quarters of the time. With a = x / √2, x φ(x) is a exp(−a² − ln √π).
    """
    a = x * math.sqrt(0.5)
    probability = 0.5 + 0.5 * tf.math.erf(a)

    def gradient(upstream):
        return upstream * (probability + a * tf.exp(-0.5 * math.log(math.pi) - tf.square(a)))

    return x * probability, gradient


@tf.keras.saving.register_keras_serializable(package="katrec")
class LayerNorm(tf.keras.layers.Layer):
    """LN(x) = γ (x − mean) / √(variance + ε) + β over the last axis (Ba et al. 2016), float32 inside whatever comes in.

        x̂ = (x − mean) / √(variance + ε),   u = γ ∂y,   ∂x = (u − mean(u) − x̂ mean(u x̂)) / √(variance + ε)

    Sums over rows and columns with weights are products with a vector, which read a tensor once.

    Input and output:
      float[…, q].
    """

    def build(self, input_shape: tf.TensorShape) -> None:
        # float32 in a layer of any compute type.
        parameter = {"shape": input_shape[-1:], "experimental_autocast": False}
        self.gamma = self.add_weight(name="gamma", initializer="ones", **parameter)
        self.beta = self.add_weight(name="beta", initializer="zeros", **parameter)
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def normalized(x, gamma, beta):
            dtype = x.dtype
            x = tf.cast(x, tf.float32)
            centred = x - _mean(x)
            scale = tf.math.rsqrt(_mean(tf.square(centred)) + EPSILON)
            standard = centred * scale

            def gradient(upstream):
                upstream = tf.cast(upstream, tf.float32)
                product = upstream * standard
                share = gamma[:, None] / x.shape[-1]
                ones = tf.ones([1, tf.shape(x)[0]])
                to_x = scale * (upstream * gamma - upstream @ share - standard * (product @ share))
                return tf.cast(to_x, dtype), (ones @ product)[0], (ones @ upstream)[0]

            return tf.cast(standard * gamma + beta, dtype), gradient

        rows = tf.reshape(x, [-1, x.shape[-1]])
        return tf.reshape(
            normalized(rows, tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)), tf.shape(x)
        )


def _mean(x):
    return tf.reduce_mean(x, axis=-1, keepdims=True)
