"""A checkpoint that does not give every weight its value is refused."""

import dataclasses

import numpy as np
import pytest

from katrec.common.command_line import UserError
from katrec.models.build import build
from katrec.training.checkpoints import best_checkpoint, best_model


@pytest.fixture
def saved(tiny_dataset, make_settings, tmp_path):
    settings = make_settings(model="bert4rec", num_layers=1)
    model = build(settings, tiny_dataset)
    model.items.assign(model.items * 3)
    best_checkpoint(str(tmp_path), model).save()
    return model, settings


def test_the_best_weights_come_back(saved, tiny_dataset, tmp_path):
    model, settings = saved
    np.testing.assert_array_equal(best_model(str(tmp_path), settings, tiny_dataset).items, model.items)


@pytest.mark.parametrize("changes", [{"num_layers": 2}, {"model": "katrec"}, {"hidden_dim": 8}])
def test_weights_of_other_settings_are_refused(saved, tiny_dataset, tmp_path, changes):
    with pytest.raises(UserError, match=r"best.ckpt-1: (does not fit this model|the checkpoint is damaged)"):
        best_model(str(tmp_path), dataclasses.replace(saved[1], **changes), tiny_dataset)


def test_a_damaged_file_is_named(saved, tiny_dataset, tmp_path):
    [data] = (tmp_path / "checkpoints" / "best").glob("*.data*")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(UserError, match="the checkpoint is damaged") as error:
        best_model(str(tmp_path), saved[1], tiny_dataset)
    assert "\n" not in str(error.value)


def test_no_checkpoint_is_said(tiny_dataset, make_settings, tmp_path):
    with pytest.raises(UserError, match="no checkpoint yet"):
        best_model(str(tmp_path), make_settings(), tiny_dataset)
