"""The marker: items that stand nowhere but in held-out places never reach what a model learns from."""

import numpy as np
import pytest

from katrec.data.negatives import TripletSampler
from katrec.models import registry
from katrec.models.build import build
from katrec.training.batches import Batches


@pytest.mark.parametrize("name", registry.MODELS)
def test_held_out_items_reach_no_batch_no_edge_and_no_count(tiny_dataset, make_settings, name):
    valid, test = tiny_dataset.num_items, tiny_dataset.num_items + 1
    # The entities behind the items move up by the two markers.
    triplets = tiny_dataset.triplets.copy()
    for column in (0, 2):
        triplets[:, column] += 2 * (triplets[:, column] >= tiny_dataset.num_items)
    marked = tiny_dataset._replace(
        valid=np.full_like(tiny_dataset.valid, valid),
        test=np.full_like(tiny_dataset.test, test),
        triplets=triplets,
        num_items=tiny_dataset.num_items + 2,
        num_entities=tiny_dataset.num_entities + 2,
    )
    settings = make_settings(model=name)
    model = build(settings, marked)
    batches = Batches(marked, model, settings)
    made = batches.from_step(0)
    for _ in range(3 * batches.per_epoch):
        sequences, _, _, sampled = (part.numpy() for part in next(made))
        assert not np.isin([valid, test], sequences).any()
        # A broken triplet may have any tail; a true one has none of them.
        assert not np.isin([valid, test], sampled[..., :3]).any()
    assert not marked.popularity()[[valid, test]].any()
    if model.graph is not None:
        assert not np.isin([valid, test], [model.graph.heads, model.graph.tails]).any()
        drawn = TripletSampler(model.graph).sample(np.random.default_rng(0), 2000)
        assert not np.isin([valid, test], drawn[:, :3]).any()
    if model.item_tables().edges is not None:
        starts, _, tails, _ = (one.numpy() for one in model.item_tables().edges)
        assert starts[valid] == starts[-1] and not np.isin([valid, test], tails).any()
    # The validation item is known when the test item is predicted, the test item never.
    assert valid not in marked.histories("valid")[1] and test not in marked.histories("test")[1]
