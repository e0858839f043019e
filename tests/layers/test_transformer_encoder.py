import numpy as np
import pytest
import tensorflow as tf

from katrec.layers import TransformerEncoder, TransformerLayer
from tests import reference

MASK = np.array([[False, False, True, True], [True] * 4])
SASREC = {"inner_factor": 1, "activation": "relu", "pre_norm": True, "causal": True}


def built(generator, **options):
    encoder = TransformerEncoder(6, 2, num_heads=2, **options)
    encoder(tf.zeros([1, 2, 8]), tf.ones([1, 2], tf.bool))
    encoder.set_weights([generator.normal(size=weight.shape) / 2 for weight in encoder.get_weights()])
    return encoder


@pytest.mark.parametrize("options", [{}, SASREC], ids=["the paper's", "SASRec's"])
def test_positions_are_added_and_layers_stacked(generator, options):
    encoder, x = built(generator, **options), generator.normal(size=(2, 4, 8)).astype(np.float32)
    output, attention = encoder(x, MASK, return_attention=True)
    expected = x + encoder.position.table.numpy()[2:]
    for layer in encoder.layers:
        expected = layer(expected, MASK)
    if options:
        # A pre-norm stack ends with a layer norm (Kang and McAuley 2018).
        expected = reference.layer_norm(expected.numpy(), *encoder.norm.get_weights())
    np.testing.assert_allclose(output, expected, rtol=1e-3, atol=1e-3)
    assert [weights.shape for weights in attention] == [(2, 2, 4, 4)] * 2
    some = encoder(x, MASK, positions=tf.constant([[3, 2], [1, 3]]))
    for row, places in enumerate([[3, 2], [1, 3]]):
        np.testing.assert_allclose(some[row], output.numpy()[row, places], rtol=1e-3, atol=1e-3)


def test_only_a_causal_stack_hides_later_items(generator):
    x = generator.normal(size=(1, 4, 8)).astype(np.float32)
    changed = x.copy()
    changed[:, 3] += 1
    for options, same in (({}, False), (SASREC, True)):
        encoder = built(generator, **options)
        before, after = (encoder(values, MASK[1:]).numpy()[:, :3] for values in (x, changed))
        assert np.allclose(before, after, rtol=1e-4, atol=1e-5) == same


def test_a_call_may_look_ahead_where_the_stack_does_not(generator):
    encoder = built(generator, causal=True)
    other = TransformerEncoder(6, 2, num_heads=2)
    x = generator.normal(size=(2, 4, 8)).astype(np.float32)
    other(x, MASK)
    other.set_weights(encoder.get_weights())
    np.testing.assert_array_equal(encoder(x, MASK, causal=False), other(x, MASK))
    np.testing.assert_array_equal(other(x, MASK, causal=True), encoder(x, MASK))
    assert np.abs(encoder(x, MASK) - other(x, MASK)).max() > 1e-3


def test_the_input_may_be_normalised(generator):
    encoder = built(generator, input_norm=True)
    x = generator.normal(size=(2, 4, 8)).astype(np.float32)
    expected = reference.layer_norm(x + encoder.position.table.numpy()[2:], *encoder.input_norm.get_weights())
    for layer in encoder.layers:
        expected = layer(expected, MASK)
    np.testing.assert_allclose(encoder(x, MASK), expected, rtol=1e-3, atol=1e-3)


def test_recurrent_units_may_read_the_inputs_first(generator):
    encoder = built(generator, recurrent_inputs=True, causal=True, pre_norm=True)
    x = generator.normal(size=(2, 4, 8)).astype(np.float32)
    inputs = x + encoder.position.table.numpy()[2:]
    weights = encoder.recurrent.get_weights()
    expected = inputs + np.stack([reference.recurrent_states(*one, *weights) for one in zip(inputs, MASK)])
    for layer in encoder.layers:
        expected = layer(expected, MASK)
    expected = reference.layer_norm(np.array(expected), *encoder.norm.get_weights())
    np.testing.assert_allclose(encoder(x, MASK), expected, rtol=1e-3, atol=1e-3)
    changed = x.copy()
    changed[:, 3] += 1
    np.testing.assert_allclose(encoder(changed, MASK)[1, :3], expected[1, :3], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("recurrent_inputs", [False, True])
def test_dropout_follows_the_seed(generator, recurrent_inputs):
    encoder = built(generator, hidden_dropout=0.5, attention_dropout=0.5, recurrent_inputs=recurrent_inputs)
    x = generator.normal(size=(2, 4, 8)).astype(np.float32)
    first, same, other, none = (
        encoder(x, MASK, seed=seed).numpy() for seed in (tf.constant([1, 2]), [1, 2], [1, 3], None)
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any() and (first != none).any()


def test_another_activation_is_refused():
    with pytest.raises(ValueError, match="must be one of"):
        TransformerLayer(activation="tanh")
