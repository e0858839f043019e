import numpy as np
import pytest
import tensorflow as tf

from katrec.evaluation.attention import attention_weights, average_attention, cooccurrence_ratio
from katrec.models import precision
from katrec.models.build import build
from katrec.reporting.figure_data import figure6


@pytest.fixture(params=["float32", "mixed_bfloat16"])
def model(tiny_dataset, make_settings, generator, monkeypatch, request):
    monkeypatch.setattr(precision, "policy", lambda mixed: tf.keras.mixed_precision.Policy(request.param))
    model = build(make_settings(model="bert4rec"), tiny_dataset)
    for variable in model.trainable_variables:
        variable.assign(generator.normal(size=variable.shape))
    return model


@pytest.mark.parametrize("positions", [4, 12])
def test_averages_leave_padding_out(tiny_dataset, model, positions):
    users = np.flatnonzero(tiny_dataset.test >= 0)
    average = average_attention(model, tiny_dataset, positions)
    weights, real = attention_weights(model, model.inference_tables(), tiny_dataset.histories("test"), users)
    assert average.shape == (2, 2, positions, positions)
    width = real.shape[1]
    for query, key in [(-1, -1), (-1, -3), (-4, -2), (-positions, -1)]:
        pairs = [
            weights[1][user, 0, query, key]
            for user in range(len(users))
            if -query <= width and real[user, query] and real[user, key]
        ]
        if pairs:
            assert average[1, 0, query, key] == pytest.approx(np.mean(pairs), rel=1e-5)
        else:
            assert np.isnan(average[1, 0, query, key])
    assert not real[:, :2].all() or positions == 4


def test_cooccurrence_by_hand(tiny_dataset):
    histories = [
        set(tiny_dataset.items[start:end]) for start, end in zip(tiny_dataset.offsets, tiny_dataset.offsets[1:])
    ]
    ratio = cooccurrence_ratio(tiny_dataset, np.array([3, 7, 11]))
    for row, left in enumerate((3, 7, 11)):
        for column, right in enumerate((3, 7, 11)):
            assert ratio[row, column] == pytest.approx(np.mean([{left, right} <= items for items in histories]))


def test_a_users_last_items(tiny_dataset, model):
    items, ratio, attention = figure6({"BERT4Rec": model}, tiny_dataset, seed=1)
    offsets, histories = tiny_dataset.histories("test")
    user = next(user for user in range(40) if list(histories[offsets[user + 1] - 6 : offsets[user + 1]]) == list(items))
    weights, _ = attention_weights(model, model.inference_tables(), (offsets, histories), np.array([user]))
    np.testing.assert_allclose(attention["BERT4Rec"], weights[1][0, :, -1, -7:-1].mean(axis=0))
    assert attention["BERT4Rec"].dtype == np.float32
    assert ratio.shape == (6, 6)
    short = tiny_dataset._replace(items=tiny_dataset.items % 3, valid=tiny_dataset.valid % 3)
    with pytest.raises(ValueError, match="no user has 6 different items"):
        figure6({"BERT4Rec": model}, short, seed=1)
