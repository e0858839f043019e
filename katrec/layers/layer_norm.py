"""Layer normalisation (Ba et al. 2016), float32 inside whatever comes in."""

import tensorflow as tf

EPSILON = 1e-12  # BERT's


class LayerNorm(tf.keras.layers.Layer):
    """LN(x) = γ (x − mean) / √(variance + ε) + β over the last axis, with a gradient of few passes over memory.

        x̂ = (x − mean) / √(variance + ε),   u = γ ∂y,   ∂x = (u − mean(u) − x̂ mean(u x̂)) / √(variance + ε)

    Input and output: float[n, q].
    """

    def build(self, input_shape):
        # float32 in a layer of any compute type.
        parameter = {"shape": input_shape[-1:], "experimental_autocast": False}
        self.gamma = self.add_weight(name="gamma", initializer="ones", **parameter)
        self.beta = self.add_weight(name="beta", initializer="zeros", **parameter)
        super().build(input_shape)

    def call(self, x):
        @tf.custom_gradient
        def normalized(x, gamma, beta):
            kind = x.dtype
            x = tf.cast(x, tf.float32)
            centred = x - _mean(x)
            scale = tf.math.rsqrt(_mean(tf.square(centred)) + EPSILON)
            standard = centred * scale

            def gradient(upstream):
                upstream = tf.cast(upstream, tf.float32)
                leading = list(range(len(x.shape) - 1))
                to_gamma = tf.reduce_sum(upstream * standard, leading)
                to_beta = tf.reduce_sum(upstream, leading)
                upstream *= gamma
                to_x = scale * (upstream - _mean(upstream) - standard * _mean(upstream * standard))
                return tf.cast(to_x, kind), to_gamma, to_beta

            return tf.cast(standard * gamma + beta, kind), gradient

        return normalized(x, tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta))


def _mean(x):
    return tf.reduce_mean(x, axis=-1, keepdims=True)
