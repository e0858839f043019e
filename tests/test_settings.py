"""Settings and the flags that are made from them."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from absl import flags

from katrec import flags as settings_flags
from katrec.common.command_line import FlagError, UserError
from katrec.experiments.variants import ABLATIONS
from katrec.models import registry
from katrec.settings import Settings, from_dict
from tests.conftest import ROOT


def parsed(*arguments):
    values = flags.FlagValues()
    settings_flags.define(values)
    values(["test", *arguments])
    return settings_flags.read(values)


def test_no_flags_are_the_defaults():
    assert parsed() == Settings()


def test_every_setting_has_a_flag():
    changed = {
        "model": "sasrec",
        "seed": 7,
        "hidden_dropout": 0.5,
        "propagation_dims": (8, 4),
        "user_modeling": True,
        "fusion": False,
        "attention": "uniform",
    }
    arguments = [
        "--model=sasrec",
        "--seed=7",
        "--hidden_dropout=0.5",
        "--propagation_dims=8,4",
        "--user_modeling",
        "--nofusion",
        "--attention=uniform",
    ]
    assert parsed(*arguments) == Settings(**changed)
    values = flags.FlagValues()
    settings_flags.define(values)
    assert {field.name for field in dataclasses.fields(Settings)} <= set(values)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"seed": -1}, "seed=-1: must be at least 0"),
        ({"mask_share": 0}, "mask_share=0.0: must be at least"),
        ({"mask_share": 1.5}, "mask_share=1.5: must be at most 1"),
        ({"train_steps": 2.5}, "train_steps=2.5: must be of type int"),
        ({"train_steps": True}, "train_steps=True: must be of type int"),
        ({"learning_rate": float("nan")}, "learning_rate=nan: must be a finite number"),
        ({"learning_rate": "fast"}, "learning_rate='fast': must be a finite number"),
        ({"propagation_dims": ()}, "must be one or more integers"),
        ({"propagation_dims": (4, 0)}, "propagation_dims=0: must be at least 1"),
        ({"fusion": 1}, "fusion=1: must be of type bool"),
        ({"attention": "none"}, "attention=none: choose from refreshed, differentiable, uniform"),
    ],
)
def test_a_wrong_value_is_said(values, message):
    with pytest.raises(UserError, match=message):
        Settings(**values)


def test_numbers_of_numpy_are_numbers():
    settings = Settings(train_steps=np.int64(5), learning_rate=np.float32(0.5), propagation_dims=[np.int32(3)])
    assert settings == Settings(train_steps=5, learning_rate=0.5, propagation_dims=(3,))
    assert type(settings.train_steps) is int and type(settings.learning_rate) is float


@pytest.mark.parametrize(
    "values, message",
    [({"model": "other"}, "choose from bprmf,"), ({"num_heads": 5}, "num_heads=5 does not divide the hidden size 128")],
)
def test_what_makes_no_model_is_said(values, message):
    with pytest.raises(UserError, match=message):
        registry.check(Settings(**values))


def test_heads_matter_where_there_are_some():
    registry.check(Settings(model="gru4rec", num_heads=5))
    with pytest.raises(FlagError, match="--num_heads=5"):
        parsed("--num_heads=5")


def test_older_settings_get_defaults_and_unknown_ones_are_named():
    assert from_dict({"model": "sasrec"}, "x") == Settings(model="sasrec")
    with pytest.raises(UserError, match="x: unknown settings: colour=red, size=2; was it written by another version"):
        from_dict({"size": 2, "colour": "red"}, "x")
    assert from_dict(dataclasses.asdict(Settings(seed=3)), "x") == Settings(seed=3)


def test_variants_change_what_they_say():
    expected = {"level1": {"propagation_dims": (8,)}, "concat": {"fusion": False}}
    for name, variant in ABLATIONS.items():
        settings = Settings(model=variant.model, propagation_dims=(8, 4, 2))
        changes = variant.changes(settings)
        assert dataclasses.replace(settings, **changes) != settings or name == "no_user_modeling"
        if name in expected:
            assert changes == expected[name]


def test_a_models_own_defaults_hold_until_a_flag_says_otherwise():
    extension = Settings(model="katrec_next_item")
    assert (extension.objective, extension.layer_norm, extension.item_table) == ("next_item", "pre", "sum")
    assert (Settings().objective, Settings().layer_norm, Settings().item_table) == ("cloze", "post", "tied")
    assert parsed("--model=katrec_next_item", "--layer_norm=post") == dataclasses.replace(extension, layer_norm="post")
    # config.json keeps what was chosen.
    assert from_dict(dataclasses.asdict(extension), "x") == extension
    with pytest.raises(FlagError, match="--user_modeling=True: needs the head"):
        parsed("--model=katrec_next_item", "--user_modeling")
    # A baseline has no users' vectors, whatever the flags of its data set say.
    parsed("--model=bert4rec", "--nohead", "--user_modeling")
    with pytest.raises(FlagError, match="--entity_loss=0.5: needs attribute_vectors"):
        parsed("--model=katrec_next_item", "--noattribute_vectors")
    parsed("--model=katrec_next_item", "--noattribute_vectors", "--entity_loss=0")


def test_all_commands_can_be_imported_in_one_process_without_tensorflow():
    code = (
        "import sys, katrec.train, katrec.evaluate, katrec.export, katrec.recommend, katrec.search, katrec.add_items;"
        "import katrec.experiments.__main__, preprocess.__main__, preprocess.download, preprocess.synthesize;"
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
