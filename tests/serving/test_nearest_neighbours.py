"""The recipe in examples/nearest_neighbours.py finds what the exact ranking has."""

import importlib.util

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.synthetic import like
from katrec.models.build import build
from katrec.serving.filters import padded_ids
from katrec.serving.served import Served
from katrec.settings import Settings
from tests.conftest import ROOT

pytest.importorskip("faiss", reason="the extra `index` is not installed")


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["sasrec", "katrec_next_item"])
def signatures(request):
    """A model over a few thousand items, whose popularity spans from a few to hundreds of interactions."""
    dataset = like("amazon-book", 0.1)
    settings = Settings(model=request.param, max_sequence_length=20, neighbour_gaps=2, transition_reach=1)
    model = build(settings, dataset)
    generator = np.random.default_rng(3)
    for variable in model.trainable_variables:
        # Items of the norms that trained ones have, and neighbour scores that matter.
        scale = 0.06 if variable.shape[0] == dataset.num_items else 0.2
        variable.assign(generator.normal(size=variable.shape) * scale)
    popularity = dataset.popularity()
    assert popularity.max() > 20 * np.median(popularity)
    ids = [[f"i{number}" for number in range(count)] for count in (dataset.num_items, dataset.num_users)]
    return Served(model, *ids, popularity, 100, {}).signatures(), dataset


def test_the_index_finds_the_exact_ten(signatures):
    signatures, dataset = signatures
    offsets, items = dataset.histories("test")
    histories = [[f"i{item}" for item in items[offsets[user] : offsets[user + 1]]] for user in range(200)]
    histories[7] = []
    index = example("nearest_neighbours").NearestNeighbours(signatures)
    found = index.recommend(histories, 10)
    exact = signatures["serving_default"](history=padded_ids(histories))
    shares = []
    for answer, history, names, scores in zip(found, histories, exact["items"].numpy(), exact["scores"].numpy()):
        assert len(answer) == 10 and not {item for item, _ in answer} & set(history)
        best = {name.decode(): score for name, score in zip(names, scores)}
        shares.append(np.mean([name in best for name, _ in answer]))
        own = [(score, best[name]) for name, score in answer if name in best]
        np.testing.assert_allclose(*zip(*own), rtol=1e-3, atol=1e-3)
    assert np.mean(shares) >= 0.99
    # Without a history, what is popular, in its order.
    assert [score for _, score in found[7]] == sorted(dataset.popularity(), reverse=True)[:10]


def test_neighbours_are_what_the_products_lack(signatures):
    signatures, dataset = signatures
    if "neighbours" not in signatures:
        assert all(name in signatures for name in ("encode", "item_table"))
        return
    histories = padded_ids([["i3", "i5", "i8"], [], ["i9"]])
    given = signatures["neighbours"](history=histories)
    every = [f"i{number}" for number in range(dataset.num_items)]
    scores = signatures["recommend_from"](history=histories, candidates=tf.constant([every] * 3))["scores"].numpy()
    products = signatures["encode"](history=histories)["vectors"] @ tf.transpose(signatures["item_table"]()["vectors"])
    for row, (names, values) in enumerate(zip(given["items"].numpy(), given["scores"].numpy())):
        added = np.zeros(dataset.num_items)
        for name, value in zip(names, values):
            if name:
                added[int(name[1:])] += value
        assert len({name for name in names if name}) == np.count_nonzero([bool(name) for name in names])
        np.testing.assert_allclose(products[row].numpy() + added, scores[row], rtol=1e-3, atol=1e-3)
    assert not given["scores"].numpy()[1].any() and given["scores"].numpy()[0].any()
