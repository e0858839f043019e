import numpy as np
import tensorflow as tf

from katrec.layers import TransR
from katrec.layers.transr import pairwise_loss
from tests import reference
from tests.gradients import assert_gradient


def layer_and_embeddings(generator, triplets=7, entity_dim=5, relations=3, relation_dim=4):
    layer = TransR(relations, relation_dim)
    layer.build([(None, entity_dim)])
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    embeddings = generator.normal(size=(triplets, 3, entity_dim)).astype(np.float32)
    return layer, embeddings[:, 0], generator.integers(relations, size=triplets), embeddings[:, 1:]


def test_dissimilarity_is_the_papers(generator):
    layer, head, relation, tail = layer_and_embeddings(generator)
    expected = [
        [reference.dissimilarity(layer.projection.numpy()[r].T, h, layer.relation.numpy()[r], t) for t in tails]
        for h, r, tails in zip(head, relation, tail)
    ]
    np.testing.assert_allclose(layer((head, relation, tail)), expected, rtol=1e-4)


def test_gradient(generator):
    layer, head, relation, tail = layer_and_embeddings(generator)
    assert_gradient(lambda h, t: layer((h, relation, t)), head, tail)


def test_a_translation_that_holds_scores_zero():
    layer = TransR(1, 2)
    layer.build([(None, 2)])
    layer.set_weights([np.eye(2)[None], np.array([[1.0, -1.0]])])
    score = layer((tf.constant([[1.0, 2.0]]), [0], tf.constant([[[2.0, 1.0], [1.0, 2.0]]])))
    np.testing.assert_allclose(score, [[0, 2]], atol=1e-6)


def test_pairwise_loss():
    positive, negative = np.array([0.5, 3.0]), np.array([2.0, 1.0])
    expected = np.sum([-np.log(1 / (1 + np.exp(-(n - p)))) for p, n in zip(positive, negative)])
    np.testing.assert_allclose(pairwise_loss(positive, negative), expected, rtol=1e-6)
