import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from katrec.common import interruption, sealed
from katrec.common.command_line import UserError
from katrec.data.dataset import Dataset
from katrec.evaluation.metrics import metrics
from katrec.models import precision, registry
from katrec.models.build import build
from katrec.training.batches import Batches
from katrec.training.log import Log
from katrec.training.trainer import Trainer
from tests.conftest import slow_but


def sequences(items_of_users, triplets=(), num_items=2, num_entities=None, num_relations=1):
    """A data set of whole histories; the last two items of each are held out."""
    training = [items[:-2] for items in items_of_users]
    valid, test = (np.array([items[place] for items in items_of_users], np.int32) for place in (-2, -1))
    return Dataset(
        "hand",
        np.cumsum([0, *map(len, training)]),
        np.concatenate(training).astype(np.int32),
        valid,
        test,
        np.array(triplets, np.int32).reshape(-1, 3),
        num_items,
        num_entities or num_items,
        num_relations,
        {},
    )


@pytest.mark.parametrize(
    "name", slow_but(["katrec", "bert4rec", "sasrec", "gru4rec", "gru4rec++"], "katrec", "gru4rec")
)
def test_alternating_items_are_learned_perfectly(make_settings, tmp_path, name):
    # A window's own items are no negatives of GRU4Rec++: it needs others, and may prefer what was seen.
    count = 20 if name == "gru4rec++" else 2
    histories = [[(start + i) % count for i in range(length)] for start in range(count) for length in range(5, 21)]
    # Attributes of their own: users alone would tell TransR that the two items are the same.
    # One item that nobody has seen: a history of all items leaves nothing to rank against.
    num_items = count + 1
    triplets = [[item, 0, num_items + 12 * item + attribute] for item in range(3) for attribute in range(12)]
    dataset = sequences(histories, triplets, num_items, num_entities=num_items + 36)
    config = make_settings(
        model=name,
        train_steps=1200,
        eval_every_steps=1200,
        learning_rate=2e-3,
        batch_size=32,
        kg_batch_size=1024,
        entity_dim=32,
        propagation_dims=(8, 8),
        hidden_dim=48,
        hidden_dropout=0,
        attention_dropout=0,
        message_dropout=0,
    )
    trainer = Trainer(config, dataset, str(tmp_path))
    trainer.run()
    starts = np.arange(count)
    for length in range(3, 19):
        histories = ((starts[:, None] + np.arange(length)) % count).astype(np.int32)
        logits = trainer.model((histories, np.zeros(count, np.int32))).numpy()
        if name == "gru4rec++":
            np.put_along_axis(logits, histories, -np.inf, axis=1)
        np.testing.assert_array_equal(logits.argmax(axis=1), (starts + length) % count)


GENRES, ITEMS = 8, 160


def clustered(generator):
    """Users stay within a genre; items are too rarely seen to tell their genre without the knowledge graph."""
    genres = generator.integers(GENRES, size=150)
    histories = [generator.permutation(np.arange(genre, ITEMS, GENRES))[:5].tolist() for genre in genres]
    triplets = np.array([[item, 0, ITEMS + item % GENRES] for item in range(ITEMS)])
    return histories, triplets


def ndcg(histories, triplets, make_settings, folder):
    dataset = sequences(histories, triplets, ITEMS, ITEMS + GENRES)
    config = make_settings(
        model="katrec",
        train_steps=200,
        eval_every_steps=50,
        learning_rate=5e-3,
        warmup_steps=10,
        entity_dim=16,
        propagation_dims=(16, 16),
        last_item_share=0.5,
        pretrained_embeddings=False,
    )
    return Trainer(config, dataset, str(folder)).run()["test"]["full"]["NDCG@10"]


def test_shuffled_tails_or_histories_lose(make_settings, tmp_path, generator):
    histories, triplets = clustered(generator)
    real = ndcg(histories, triplets, make_settings, tmp_path / "real")
    wrong_graph = triplets.copy()
    wrong_graph[:, 2] = generator.permutation(wrong_graph[:, 2])
    wrong_histories = generator.permutation(np.concatenate(histories)).reshape(-1, 5).tolist()
    without_graph = ndcg(histories, wrong_graph, make_settings, tmp_path / "graph")
    without_histories = ndcg(wrong_histories, triplets, make_settings, tmp_path / "histories")
    assert real > 1.25 * without_graph
    assert real > 3 * without_histories


def test_batches_are_a_function_of_the_step(tiny_dataset, make_settings):
    config = make_settings(model="katrec", kg_steps=2)
    model = build(config, tiny_dataset)

    def first(step, count):
        batches = Batches(tiny_dataset, model, config).from_step(step)
        return [[tensor.numpy() for tensor in next(batches)] for _ in range(count)]

    whole, part = first(0, 12), first(5, 7)
    for expected, batch in zip(whole[5:], part):
        for left, right in zip(expected, batch):
            np.testing.assert_array_equal(left, right)
    assert whole[0][3].shape == (2, 32, 4)


@pytest.mark.parametrize("mixed", [False, True])
def test_the_step_is_traced_once_and_files_are_written(tiny_dataset, make_settings, monkeypatch, tmp_path, mixed):
    monkeypatch.setattr(precision, "_cpu", lambda: ({precision.AMX}, ""))
    config = make_settings(model="katrec", train_steps=12, eval_every_steps=4, batch_size=7, mixed_precision=mixed)
    trainer = Trainer(config, tiny_dataset, str(tmp_path))
    result = trainer.run()
    assert trainer._steps._run.experimental_get_tracing_count() == 1
    assert sealed.read(tmp_path / "result.json") == result
    made = {"katrec", "commit", "machine", "date", "users_left_out", "users_with_fewer_negatives"}
    numbers = {"step", "seconds", "users", "test", "test_groups", "valid"}
    assert {"dataset", "model", "seed", "precision"} | numbers | made == set(result)
    assert set(result["test"]) == {"sampled", "full", "lists"}
    assert (result["step"], result["users"]) == (12, 40)
    assert result["precision"] == ("bfloat16" if mixed else "float32")
    with np.load(tmp_path / "ranks.npz") as ranks:
        np.testing.assert_array_equal(ranks["users"], np.arange(40))
        for name in ("sampled", "full"):
            assert metrics(ranks[name]) == result["test"][name]
    for groups in result["test_groups"].values():
        assert sum(group["users"] for group in groups.values()) == 40
        hits = sum(group["users"] * group["full"]["Hit@10"] for group in groups.values())
        assert hits / 40 == pytest.approx(result["test"]["full"]["Hit@10"])
    rows = [json.loads(row) for row in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [4, 8, 12]
    assert all(row["loss"] > 0 and row["transr_loss"] > 0 for row in rows)
    assert list((tmp_path / "tensorboard").iterdir())
    best = max(row["valid"]["sampled"]["NDCG@10"] for row in rows)
    assert result["valid"]["sampled"]["NDCG@10"] == pytest.approx(best)


def test_patience_stops_early(tiny_dataset, make_settings, tmp_path):
    # With a learning rate of 0 nothing gets better after the first evaluation.
    config = make_settings(model="bert4rec", train_steps=100, eval_every_steps=2, patience=3, learning_rate=0)
    assert Trainer(config, tiny_dataset, str(tmp_path)).run()["step"] == 8


def test_a_loss_that_is_no_number_stops_the_run(tiny_dataset, make_settings, tmp_path):
    config = make_settings(model="bert4rec", train_steps=4, eval_every_steps=4)
    trainer = Trainer(config, tiny_dataset, str(tmp_path))
    trainer.model.items.assign(trainer.model.items * float("nan"))
    with pytest.raises(UserError, match="step 1: the loss is nan; nothing was saved: lower --learning_rate"):
        trainer.run()
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    "part, said",
    [("loss", "the loss"), ("triplet_loss", "TransR's loss"), ("gradient", "the norm of the loss's gradient")],
)
def test_a_state_that_is_not_finite_is_never_saved(tiny_dataset, make_settings, tmp_path, monkeypatch, part, said):
    """At step 13, in the middle of a traced call, after the checkpoints of steps 4, 8 and 12."""
    config = make_settings(train_steps=40, eval_every_steps=8, checkpoint_every_steps=4, pretrained_embeddings=False)
    trainer = Trainer(config, tiny_dataset, str(tmp_path))
    name = "triplet_loss" if part == "triplet_loss" else "loss"
    given, factor = getattr(trainer.model, name), trainer._steps.sequence_optimizer.iterations

    @tf.custom_gradient
    def with_gradient(loss, spoilt):
        return loss, lambda upstream: (upstream * spoilt, None)

    def spoilt(*args, **kwargs):
        bad = tf.where(factor >= 12, np.nan, 1.0)
        if part == "triplet_loss":
            loss, ranking = given(*args, **kwargs)
            return loss * bad, ranking * bad
        loss = given(*args, **kwargs)
        return with_gradient(loss, bad) if part == "gradient" else loss * bad

    monkeypatch.setattr(trainer.model, name, spoilt)
    with pytest.raises(UserError, match=f"step 13: {said} is nan; it was not saved: the last checkpoint is of step 12"):
        trainer.run()
    if part != "loss":
        return
    again = Trainer(config, tiny_dataset, str(tmp_path))
    assert again.run()["step"] == 40
    whole = Trainer(config, tiny_dataset, str(tmp_path / "whole"))
    whole.run()
    for one, other in zip(again.model.trainable_variables, whole.model.trainable_variables):
        np.testing.assert_array_equal(one, other)


def test_a_loss_that_rises_far_above_its_beginning_is_told(tiny_dataset, make_settings, tmp_path):
    config = make_settings(model="sasrec", train_steps=30, eval_every_steps=30, learning_rate=10, warmup_steps=0)
    with pytest.warns(UserWarning, match=r"step 30: the loss is \d+.*, it was .* the training diverges"):
        Trainer(config, tiny_dataset, str(tmp_path)).run()


def test_the_best_weights_lost_on_the_way_are_told_at_once(tiny_dataset, make_settings, tmp_path, monkeypatch):
    config = make_settings(model="bprmf", train_steps=20, eval_every_steps=10)
    trainer = Trainer(config, tiny_dataset, str(tmp_path))
    monkeypatch.setattr(trainer, "_stopped", None)
    with monkeypatch.context() as patch:
        patch.setattr(interruption, "asked", lambda: int(trainer.progress.step) == 10)
        with pytest.raises(TypeError):
            trainer.run()
    shutil.rmtree(tmp_path / "checkpoints" / "best")
    with pytest.raises(UserError, match="checkpoints/best is gone, the weights that did best"):
        Trainer(config, tiny_dataset, str(tmp_path)).run()
    assert not (tmp_path / "result.json").exists()


def test_nothing_to_train_on_is_said(make_settings, tmp_path):
    with pytest.raises(UserError, match="no user has two training items"):
        Trainer(make_settings(model="sasrec"), sequences([[0, 1, 0], [1, 0, 1]]), str(tmp_path))
    lonely = sequences([[0, 1, 0, 1]])._replace(valid=np.array([-1], np.int32), test=np.array([-1], np.int32))
    with pytest.raises(UserError, match="no user has three interactions"):
        Trainer(make_settings(model="sasrec"), lonely, str(tmp_path))


def test_rows_after_the_checkpoint_and_half_rows_are_dropped(tmp_path):
    log = Log(tmp_path, 0)
    for step in (5, 10, 15):
        log.add(step, 2.5, 0.5, {"sampled": {"NDCG@10": step / 100}}, 1.25)
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert sealed.opened(json.loads(rows[1]), "row 2") == {
        "step": 10,
        "loss": 2.5,
        "transr_loss": 0.5,
        "seconds": 1.2,
        "valid": {"sampled": {"NDCG@10": 0.1}},
    }
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 2')
    Log(tmp_path, 10)
    assert (tmp_path / "metrics.jsonl").read_text().splitlines() == rows[:2]


@pytest.mark.parametrize("name", slow_but(registry.MODELS, "katrec", "sasrec", "bprmf"))
def test_the_test_items_decide_nothing_before_the_end(tiny_dataset, make_settings, tmp_path, generator, name):
    """Which weights are kept, and all that is logged, is the same whatever the test items are."""
    settings = make_settings(
        model=name,
        train_steps=8,
        eval_every_steps=2,
        learning_rate=0.02,
        warmup_steps=1,
        pretrain_epochs=1,
        pretrain_kg_epochs=1,
        num_negatives=5,
    )
    permuted = tiny_dataset._replace(test=generator.permutation(tiny_dataset.test))
    assert (permuted.test != tiny_dataset.test).mean() > 0.5
    logged, kept = [], []
    for folder, dataset in (("given", tiny_dataset), ("permuted", permuted)):
        trainer = Trainer(settings, dataset, str(tmp_path / folder))
        trainer.run()
        rows = [json.loads(row) for row in (tmp_path / folder / "metrics.jsonl").read_text().splitlines()]
        logged.append([{name: value for name, value in row.items() if name != "seconds"} for row in rows])
        kept.append([variable.numpy() for variable in trainer.model.trainable_variables])
    assert logged[0] == logged[1]
    for given, other in zip(*kept):
        np.testing.assert_array_equal(given, other)


def test_katrec_wants_a_graph(tiny_dataset, make_settings, tmp_path):
    bare = tiny_dataset._replace(triplets=np.empty((0, 3), np.int32), num_entities=24, num_relations=0)
    with pytest.raises(UserError, match="tiny has no triplet: .* or say --allow_empty_graph"):
        Trainer(make_settings(), bare, str(tmp_path))
    short = {"train_steps": 2, "eval_every_steps": 2}
    assert Trainer(make_settings(allow_empty_graph=True, **short), bare, str(tmp_path / "bare")).run()["step"] == 2
    assert Trainer(make_settings(model="sasrec", **short), bare, str(tmp_path / "sasrec")).run()["step"] == 2


def test_users_that_cannot_be_ranked_are_said(tiny_dataset, make_settings, tmp_path):
    settings = make_settings(model="bprmf", train_steps=1, num_negatives=30)
    with pytest.warns(UserWarning, match="test: 40 of 40 users have fewer than 30 items outside their histories"):
        result = Trainer(settings, tiny_dataset, str(tmp_path)).run()
    assert (result["users_left_out"], result["users_with_fewer_negatives"]) == (0, 40)
