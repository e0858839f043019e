"""Runs that begin with an earlier run's weights, on a data set prepared from a longer log."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import katrec
from katrec.common.command_line import UserError
from katrec.data.dataset import load
from katrec.models import registry
from katrec.models.build import build
from katrec.models.transfer import transfer
from katrec.training.earlier import begin_from
from preprocess import pipeline
from tests.conftest import SMALL

TRAINING = {"train_steps": 3, "eval_every_steps": 3, "pretrain_epochs": 1, "pretrain_kg_epochs": 1, "num_negatives": 4}


@pytest.fixture(scope="module")
def logs(tmp_path_factory, tiny_raw):
    """The tiny data set of two thirds of the log, and of all of it with more triplets, users and items."""
    folder = tmp_path_factory.mktemp("logs")
    rows = pd.read_csv(tiny_raw / "tiny.inter", sep="\t")
    rows.columns = ["user_id", "item_id", "rating", "timestamp"]
    triplets = pd.read_csv(tiny_raw / "tiny.kg", sep="\t", header=0, names=["head_id", "relation_id", "tail_id"])
    links = pd.read_csv(tiny_raw / "tiny.link", sep="\t", header=0, names=["item_id", "entity_id"])
    all_of_them = pipeline.Settings(0, 0, 0)
    # Items come in another order, and one relation and the last items are missing at first.
    early = rows[rows["timestamp"] <= rows["timestamp"].quantile(0.7)].iloc[::-1]
    early = early[~early["item_id"].isin(["i20", "i21"])]
    some = triplets[triplets["relation_id"] != "film.director"]
    katrec.prepare_frames("short", early, some, links, datasets_dir=str(folder), settings=all_of_them)
    katrec.prepare_frames("long", rows, triplets, links, datasets_dir=str(folder), settings=all_of_them)
    return folder, load(str(folder), "short"), load(str(folder), "long")


def filled(settings, dataset, seed):
    model = build(settings, dataset)
    generator = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(generator.normal(size=variable.shape) / 2)
    if model.graph is not None:
        model.refresh_attention()
    return model


@pytest.mark.parametrize("name", registry.MODELS)
def test_rows_are_matched_by_raw_id(logs, name):
    _, short, long = logs
    settings = katrec.Settings(model=name, **SMALL)
    old, new = filled(settings, short, 1), filled(settings, long, 2)
    counts = transfer(old, short, new, long)
    items = {item: number for number, item in enumerate(short.raw_ids("item"))}
    fresh = [item for item in long.raw_ids("item") if item not in items]
    assert counts["item"] == len(fresh) > 0
    for (before, axis, what), (after, _, _) in zip(old.keyed_variables(), new.keyed_variables()):
        if what != "item":
            continue
        assert axis == 0
        for number, item in enumerate(long.raw_ids("item")):
            if item in items:
                np.testing.assert_array_equal(after.numpy()[number], before.numpy()[items[item]])
    for before, after in zip(old.trainable_variables, new.trainable_variables):
        if all(after is not one for one, _, _ in new.keyed_variables()):
            np.testing.assert_array_equal(before, after)
    if name.startswith("katrec"):
        nodes = [one.encoder.nodes.numpy() for one in (old, new)]
        users = {user: number for number, user in enumerate(short.raw_ids("user"))}
        for number, user in enumerate(long.raw_ids("user")):
            if user in users:
                expected = nodes[0][short.num_entities + users[user]]
                np.testing.assert_array_equal(nodes[1][long.num_entities + number], expected)
        entities = short.raw_ids("entity")
        genre, after = entities.index("g.2"), long.raw_ids("entity").index("g.2")
        np.testing.assert_array_equal(nodes[1][after], nodes[0][genre])
        relations = [one.raw_ids("relation") for one in (short, long)]
        assert relations == [["film.genre", "film.sequel"], ["film.director", "film.genre", "film.sequel"]]
        matrices = [one.encoder.transr.projection.numpy() for one in (old, new)]
        # Forward, backward, interacted and its inverse.
        np.testing.assert_array_equal(matrices[1][[1, 2, 4, 5, 6, 7]], matrices[0])
        assert counts["relation"] == 2


@pytest.mark.parametrize("name", ["bprmf", "sasrec"])
def test_vectors_of_another_size_are_said(logs, name):
    _, short, long = logs
    small = {**SMALL, "hidden_dim": 8}
    old, new = (filled(katrec.Settings(model=name, **one), data, 1) for one, data in ((small, short), (SMALL, long)))
    with pytest.raises(UserError, match="the earlier model's .* is of size .*, not .*; the settings of the model must"):
        transfer(old, short, new, long)


@pytest.mark.slow
def test_a_run_begins_there_and_goes_on(logs, tmp_path, capsys):
    folder, *_ = logs
    settings = katrec.Settings(model="katrec_next_item", **SMALL, **TRAINING)
    katrec.fit("short", settings, str(tmp_path / "first"), str(folder))
    later = dataclasses.replace(settings, init_from=str(tmp_path / "first"))
    run = katrec.fit("long", later, str(tmp_path / "second"), str(folder))
    told = capsys.readouterr()
    assert f"beginning with the weights of {tmp_path / 'first'}; new: " in told.out and "items" in told.out
    assert "pre-training" not in told.err.split("katrec_next_item long")[1]
    assert run.result["step"] == 3
    again = katrec.fit("long", later, str(tmp_path / "third"), str(folder))
    assert again.result["test"] == run.result["test"]


def test_without_a_new_row_nothing_changes(logs, tmp_path):
    folder, short, _ = logs
    settings = katrec.Settings(model="katrec", **SMALL, **TRAINING)
    run = katrec.fit("short", settings, str(tmp_path / "run"), str(folder))
    model = build(settings, short)
    assert not any(begin_from(str(tmp_path / "run"), model, short).values())
    best = run.best_model()
    for one, other in zip(model.trainable_variables, best.trainable_variables):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"entity_dim": 12}, "init_from=.*: the earlier model's .* is of size .*; the settings of the model must be"),
        ({"model": "sasrec"}, "init_from=.*: the earlier model has other parts"),
        ({"init_from": "nowhere"}, "nowhere"),
    ],
)
def test_runs_that_do_not_fit_are_said(logs, tmp_path, changes, message):
    folder, *_ = logs
    settings = katrec.Settings(model="katrec", **SMALL, **TRAINING)
    katrec.fit("short", settings, str(tmp_path / "first"), str(folder))
    values = {"init_from": str(tmp_path / "first"), **changes}
    with pytest.raises(UserError, match=message):
        katrec.fit("long", dataclasses.replace(settings, **values), str(tmp_path / "second"), str(folder))
