"""Every layer is saved, as its configuration and its weights, and loaded as the same function."""

import json

import numpy as np
import pytest
import tensorflow as tf

from katrec import layers

EDGES = np.array([[0, 0, 1], [0, 1, 2], [1, 0, 0], [2, 1, 0], [2, 0, 3], [3, 1, 2]])
X = np.random.default_rng(3).normal(size=(2, 4, 8)).astype(np.float32)
MASK = np.array([[False, True, True, True], [True] * 4])
SEED = tf.constant([1, 2])

# A layer of options that are not the defaults, and what it is called with; dropout too is a part of the function.
CASES = {
    "TransR": (layers.TransR(3, 5), lambda layer: layer((X[:, 0], np.array([2, 1]), X[:, 1:]))),
    "BiInteractionAggregator": (layers.BiInteractionAggregator(5), lambda layer: layer((X[0], X[1]))),
    "TransformerLayer": (
        layers.TransformerLayer(4, 0.3, 0.4, 2, "relu", True, True, True, 0.3),
        lambda layer: layer(X, MASK, seed=SEED),
    ),
    "TransformerEncoder": (
        layers.TransformerEncoder(
            5, 3, "sinusoidal", 4, 0.3, 0.4, 2, "relu", True, True, True, 0.3, "glorot_normal", True, True
        ),
        lambda layer: layer(X, MASK, seed=SEED),
    ),
    "FrequencyRescaler": (layers.FrequencyRescaler(), lambda layer: layer(X, X, MASK[:, None])),
    "ItemTable": (
        layers.ItemTable(4, 3, 0.5, np.array([0, 2, 3]), np.array([1, 0, 1]), 2, True),
        lambda layer: layer(SEED),
    ),
    "SelfAttention": (layers.SelfAttention(4, 0.3), lambda layer: layer(X, X, MASK[:, None], seed=SEED)[0]),
    "PositionalEmbedding": (layers.PositionalEmbedding(9, "sinusoidal"), lambda layer: layer(X)),
    "SeededDropout": (layers.SeededDropout(0.4), lambda layer: layer(X, seed=SEED)),
    "LayerNorm": (layers.LayerNorm(), lambda layer: layer(X)),
    "ItemCooccurrence": (layers.ItemCooccurrence("leaky_relu"), lambda layer: layer((X[0], X[1]))),
    "NeighbourScores": (
        layers.NeighbourScores(
            np.array([0, 2, 3, 3]), np.array([0, 1, 1]), np.array([1, 2, 0]), np.array([1, 4, 2]), 3, 1
        ),
        lambda layer: tf.concat(
            [
                tf.cast(one, tf.float32)[:, None] if one.shape.rank == 1 else tf.cast(one, tf.float32)
                for one in layer(X[0], np.array([[3, 0, 1, 2]]), np.ones([1, 4], bool)).sparse()
            ],
            axis=1,
        ),
    ),
    "NextItemHead": (layers.NextItemHead(6, 5, False), lambda layer: layer(X[0])),
}
for attention in ("refreshed", "differentiable", "uniform"):
    CASES[f"KnowledgeGraphEncoder, {attention}"] = (
        layers.KnowledgeGraphEncoder(*EDGES.T, 4, 2, 6, 3, (5, 4), 0.3, False, attention, 3),
        lambda layer: layer(SEED),
    )


@pytest.mark.parametrize("case", CASES)
def test_a_loaded_layer_is_the_same_function(case, generator, tmp_path):
    layer, call = CASES[case]
    call(layer)
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    if case.startswith("KnowledgeGraphEncoder"):
        layer.refresh()
    expected = call(layer).numpy()
    (tmp_path / "layer.json").write_text(json.dumps(tf.keras.saving.serialize_keras_object(layer)))
    tf.train.Checkpoint(layer=layer).write(str(tmp_path / "weights"))

    loaded = tf.keras.saving.deserialize_keras_object(json.loads((tmp_path / "layer.json").read_text()))
    assert type(loaded) is type(layer)
    call(loaded)
    tf.train.Checkpoint(layer=loaded).read(str(tmp_path / "weights")).assert_existing_objects_matched()
    np.testing.assert_array_equal(call(loaded).numpy(), expected)


def test_every_public_layer_has_a_case():
    public = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert public == {case.split(",")[0] for case in CASES}
