"""Checkpoints that are damaged, unfinished, lost or of other settings."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from katrec.common.command_line import UserError
from katrec.models.build import build
from katrec.training.checkpoints import Checkpoints, best_checkpoints, best_model


@pytest.fixture
def saved(tiny_dataset, make_settings, tmp_path):
    settings = make_settings(model="bert4rec", num_layers=1)
    model = build(settings, tiny_dataset)
    model.items.assign(model.items * 3)
    best_checkpoints(str(tmp_path), model).save()
    return model, settings


def test_the_best_weights_come_back(saved, tiny_dataset, tmp_path):
    model, settings = saved
    np.testing.assert_array_equal(best_model(str(tmp_path), settings, tiny_dataset).items, model.items)


@pytest.mark.parametrize(
    "changes",
    [{"num_layers": 2}, {"num_layers": 1, "positional_embedding": "none"}, {"model": "katrec"}, {"hidden_dim": 8}],
)
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


@pytest.fixture
def numbers(tmp_path):
    """A variable with three checkpoints, of the values 1, 2 and 3, of which two are kept."""
    value = tf.Variable(0.0)
    kept = Checkpoints(str(tmp_path), "latest", keep=2, value=value)
    for one in (1.0, 2.0, 3.0):
        value.assign(one)
        kept.save()
    value.assign(0.0)
    return kept, value, tmp_path / "checkpoints" / "latest"


def test_the_newest_are_kept_and_named(numbers):
    kept, value, folder = numbers
    files = {f"ckpt-{number}.{ending}" for number in (2, 3) for ending in ("index", "data-00000-of-00001")}
    assert {one.name for one in folder.iterdir()} == files | {"checkpoint"}
    assert tf.train.latest_checkpoint(str(folder)) == kept.restore() == str(folder / "ckpt-3")
    assert value == 3


def cut(path):
    path.write_bytes(path.read_bytes()[:20])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [cut, flip, lambda path: path.unlink()])
@pytest.mark.parametrize("ending", ["index", "data-00000-of-00001"])
def test_the_one_before_a_damaged_one_is_taken(numbers, capsys, harm, ending):
    kept, value, folder = numbers
    harm(folder / f"ckpt-3.{ending}")
    assert kept.restore() == kept.restore(tidy=True) == str(folder / "ckpt-2") and value == 2
    said = capsys.readouterr().err
    assert "ckpt-3: damaged" in said and f"taking {folder}/ckpt-2 instead" in said and said.count("\n") == 2
    assert not list(folder.glob("ckpt-3*"))
    assert kept.save() == str(folder / "ckpt-3")
    harm(folder / f"ckpt-2.{ending}")
    harm(folder / f"ckpt-3.{ending}")
    with pytest.raises(UserError, match="ckpt-3: the checkpoint is damaged .*; train again with --noresume"):
        kept.restore()


@pytest.mark.parametrize("harm", [cut, flip, lambda path: path.unlink()])
def test_the_file_of_their_names_is_not_needed(numbers, harm, capsys):
    kept, value, folder = numbers
    harm(folder / "checkpoint")
    assert kept.restore() == str(folder / "ckpt-3") and value == 3
    assert not capsys.readouterr().err


def test_what_a_killed_writer_left_is_passed_over_and_removed(numbers, capsys):
    kept, value, folder = numbers
    (folder / "ckpt-4.data-00000-of-00001").write_bytes(b"half")
    (folder / "ckpt-4_temp").mkdir()
    (folder / "ckpt-4_temp" / "part").touch()
    assert kept.restore(tidy=True) == str(folder / "ckpt-3") and value == 3
    assert not [one.name for one in folder.iterdir() if "ckpt-4" in one.name]
    assert not capsys.readouterr().err
    first = Checkpoints(str(folder.parent.parent), "best", value=value)
    (folder.parent / "best").mkdir()
    (folder.parent / "best" / "ckpt-1.data-00000-of-00001").write_bytes(b"half")
    assert first.restore(tidy=True) is None and not first.exist


def test_a_disk_that_is_full_leaves_the_earlier_ones(numbers, monkeypatch):
    kept, value, folder = numbers

    def full(path):
        (folder / "ckpt-4.data-00000-of-00001").write_bytes(b"half")
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(kept._checkpoint, "write", full)
    with pytest.raises(UserError, match="ckpt-4: cannot be written .No space left on device.; earlier checkpoints are"):
        kept.save()
    assert kept.restore() == str(folder / "ckpt-3") and value == 3
    assert not list(folder.glob("ckpt-4*"))
