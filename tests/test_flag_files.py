"""The committed flag files: they parse, for every model, and hold the paper's settings where there are such."""

import json
from pathlib import Path

import pytest
from absl import flags

from katrec import flags as settings_flags
from katrec.experiments import search_space
from katrec.experiments.running import flagfiles
from katrec.models.registry import MODELS
from tests.conftest import ROOT

FOLDERS = sorted(path.parent.name for path in Path(ROOT, "datasets").glob("*/flags.txt"))


def parsed(dataset, model, *arguments):
    """The flags of a run, and its settings."""
    values = flags.FlagValues()
    flags.DEFINE_string("dataset", None, "The data set.", flag_values=values)
    settings_flags.define(values)
    values(["test", *flagfiles(str(ROOT / "datasets"), dataset, model), f"--model={model}", *arguments])
    return values, settings_flags.read(values)


@pytest.mark.parametrize("dataset", FOLDERS)
@pytest.mark.parametrize("model", MODELS)
def test_flag_files_parse(dataset, model):
    values, settings = parsed(dataset, model)
    assert (values.dataset, settings.model) == (dataset, model)


@pytest.mark.parametrize(
    "dataset, length, mask_share", [("amazon-book", 50, 0.4), ("lastfm", 200, 0.2), ("yelp2018", 50, 0.4)]
)
def test_the_papers_settings(dataset, length, mask_share):
    settings = parsed(dataset, "katrec")[1]
    assert (settings.max_sequence_length, settings.mask_share, settings.learning_rate) == (length, mask_share, 1e-4)
    assert (settings.entity_dim, settings.propagation_dims, settings.weight_decay) == (64, (32, 16, 16), 0.01)
    assert (settings.batch_size, settings.train_steps, settings.pretrained_embeddings) == (128, 400_000, True)
    assert settings.node_dim == 128


@pytest.mark.parametrize("dataset", sorted(path.parent.name for path in Path(ROOT, "datasets").glob("*/search.json")))
def test_trials_are_valid_flags_and_as_many_of_each_model(dataset):
    listed = json.loads((ROOT / "datasets" / dataset / "search.json").read_text())
    common = listed.pop("all")
    assert set(listed) <= set(MODELS)
    assert len({len(of_model["trials"]) for of_model in listed.values()}) == 1
    for model, of_model in listed.items():
        trials = [{**common, **of_model["flags"], **trial} for trial in of_model["trials"]]
        assert len({json.dumps(trial, sort_keys=True) for trial in trials}) == len(trials)
        for trial in trials:
            values, _ = parsed(dataset, model, *(f"--{name}={value}" for name, value in trial.items()))
            assert {name: values[name].value for name in trial} == trial


def test_both_ends_of_the_ranges_are_valid_flags():
    space = search_space.read_ranges(str(ROOT / "datasets" / "ml-100k" / "search.json"), [])
    assert set(space) == {"all", "katrec", "bprmf"}
    for model in ("katrec", "bprmf"):
        for name, one in space[model]["ranges"].items():
            for value in one.get("choices") or (one["low"], one["high"]):
                assert parsed("ml-100k", model, f"--{name}={value}")[0][name].value == value
