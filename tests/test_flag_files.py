"""The committed flag files: they parse, for every model, and hold the paper's settings where there are such."""

import json
from pathlib import Path

import pytest
from absl import flags
from katrec.running import flagfiles

from katrec import settings
from tests.conftest import ROOT

FOLDERS = sorted(path.parent.name for path in Path(ROOT, "datasets").glob("*/flags.txt"))


def config_of(dataset, model, *extra):
    for name in settings.NAMES:
        flags.FLAGS[name].unparse()
    arguments = [*flagfiles(str(ROOT / "datasets"), dataset, model), f"--model={model}", "--output_dir=unused", *extra]
    flags.FLAGS(["test", *arguments])
    return settings.from_flags()


@pytest.mark.parametrize("dataset", FOLDERS)
@pytest.mark.parametrize("model", settings.MODELS)
def test_flag_files_parse(dataset, model):
    assert config_of(dataset, model).dataset == dataset


@pytest.mark.parametrize(
    "dataset, length, mask_share",
    [
        ("amazon-book", 50, 0.4),
        ("lastfm", 200, 0.2),
        ("yelp2018", 50, 0.4),
    ],
)
def test_the_papers_settings(dataset, length, mask_share):
    config = config_of(dataset, "katrec")
    assert (config.max_sequence_length, config.mask_share, config.learning_rate) == (length, mask_share, 1e-4)
    assert (config.entity_dim, config.propagation_dims, config.weight_decay) == (64, [32, 16, 16], 0.01)
    assert (config.batch_size, config.train_steps, config.pretrained_embeddings) == (128, 400_000, True)
    assert settings.hidden_dim(config) == 128


@pytest.mark.parametrize("dataset", sorted(path.parent.name for path in Path(ROOT, "datasets").glob("*/search.json")))
def test_trials_are_valid_flags_and_as_many_of_each_model(dataset):
    listed = json.loads((ROOT / "datasets" / dataset / "search.json").read_text())
    common = listed.pop("all")
    assert set(listed) == set(settings.MODELS)
    assert len({len(own["trials"]) for own in listed.values()}) == 1
    for model, own in listed.items():
        trials = [{**common, **own["flags"], **trial} for trial in own["trials"]]
        assert len({json.dumps(trial, sort_keys=True) for trial in trials}) == len(trials)
        for trial in trials:
            config = vars(config_of(dataset, model, *(f"--{name}={value}" for name, value in trial.items())))
            assert {name: config[name] for name in trial} == trial
