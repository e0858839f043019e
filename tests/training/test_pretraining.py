import numpy as np
import pytest
import tensorflow as tf

from katrec.common import interruption
from katrec.common.command_line import UserError
from katrec.data.negatives import TripletSampler
from katrec.models.build import build
from katrec.training import pretraining
from katrec.training.graph_pretraining import GraphPretraining
from katrec.training.self_supervised_pretraining import SelfSupervisedPretraining
from katrec.training.trainer import Trainer


@pytest.fixture
def pretrained(tiny_dataset, make_settings):
    config = make_settings(
        model="katrec", pretrain_epochs=40, pretrain_kg_epochs=40, pretrain_batch_size=64, learning_rate=0.01
    )
    model = build(config, tiny_dataset)
    before = model.encoder.nodes.numpy(), model.attention_weights.numpy()
    pretraining.pretrain(model, tiny_dataset, config, tf.distribute.get_strategy(), silent=True)
    return model, config, before


def test_items_and_users_are_bpr_mfs(pretrained, tiny_dataset):
    model, config, before = pretrained
    again = GraphPretraining(
        build(config, tiny_dataset), tiny_dataset, config, tf.distribute.get_strategy(), None, silent=True
    )
    again._train_matrix_factorization(0)
    items, users = again._bpr.items, again._bpr.users
    nodes = model.encoder.nodes.numpy()
    np.testing.assert_array_equal(nodes[:24], items)
    np.testing.assert_array_equal(nodes[model.num_entities :], users)
    # They know whom they belong to: an item of the history scores above one outside.
    scores = users.numpy() @ items.numpy().T
    own = [
        scores[user, tiny_dataset.items[tiny_dataset.offsets[user] : tiny_dataset.offsets[user + 1]]].mean()
        for user in range(tiny_dataset.num_users)
    ]
    assert np.mean(own) > scores.mean() + 0.5
    entities = slice(24, model.num_entities)
    assert np.abs(nodes[entities] - before[0][entities]).min(axis=1).max() > 1e-3
    assert np.abs(model.attention_weights.numpy() - before[1]).max() > 1e-3


def test_transr_ranks_triplets(pretrained, tiny_dataset, make_settings, generator):
    model, *_ = pretrained
    triplets = TripletSampler(model.graph).sample(generator, 500)
    new = build(make_settings(model="katrec"), tiny_dataset)
    assert float(model.triplet_loss(triplets)[1]) < 0.8 * float(new.triplet_loss(triplets)[1])


@pytest.mark.parametrize(
    "values, expected",
    [
        ({"model": "katrec"}, True),
        ({"model": "bert4rec"}, False),
        ({"model": "katrec", "pretrained_embeddings": False}, False),
        ({"model": "s3rec"}, True),
    ],
)
def test_who_is_pretrained(make_settings, values, expected):
    assert pretraining.wanted(make_settings(**values)) == expected


def test_a_run_begins_with_the_pretrained_values(pretrained, tiny_dataset, make_settings, tmp_path):
    config = make_settings(
        model="katrec",
        pretrain_epochs=40,
        pretrain_kg_epochs=40,
        pretrain_batch_size=64,
        learning_rate=0.01,
        train_steps=1,
    )
    trainer = Trainer(config, tiny_dataset, str(tmp_path))
    trainer._pretrain()
    np.testing.assert_array_equal(trainer.model.encoder.nodes, pretrained[0].encoder.nodes)
    resumed = Trainer(config, tiny_dataset, str(tmp_path))
    resumed.run()
    # One step of Adam, at 1/100 of the peak rate while warming up, from the values in the checkpoint.
    assert np.abs(resumed.model.encoder.nodes.numpy() - pretrained[0].encoder.nodes.numpy()).max() < 1e-3


def _begun(dataset, config, folder=None):
    """Returns the values that a run begins with, and the seconds that they took."""
    model = build(config, dataset)
    seconds = pretraining.pretrain(model, dataset, config, tf.distribute.get_strategy(), folder, silent=True)
    return [variable.numpy() for variable in (*model.triplet_variables, model.attention_weights)], seconds


def test_kept_embeddings_are_those_that_the_run_would_compute(tiny_dataset, make_settings, tmp_path):
    values = {"model": "katrec", "pretrain_epochs": 2, "pretrain_kg_epochs": 2, "pretrain_batch_size": 64}
    expected, _ = _begun(tiny_dataset, make_settings(**values, mask_share=0.4, fusion=False))
    first, seconds = _begun(tiny_dataset, make_settings(**values), tmp_path)
    kept = list(tmp_path.iterdir())
    again, kept_seconds = _begun(tiny_dataset, make_settings(**values, mask_share=0.4, fusion=False), tmp_path)
    for one in (first, again):
        for value, wanted in zip(one, expected):
            np.testing.assert_array_equal(value, wanted)
    assert len(kept) == 1 and list(tmp_path.iterdir()) == kept
    assert kept_seconds == seconds > 0


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 2},
        {"learning_rate": 0.002},
        {"pretrain_epochs": 3},
        {"pretrain_kg_epochs": 3},
        {"bpr_l2": 0.1},
        {"kg_l2": 0.1},
        {"relation_dim": 2},
    ],
)
def test_a_run_that_would_compute_others_takes_none(other, tiny_dataset, make_settings, tmp_path):
    values = {
        "model": "katrec",
        "pretrain_epochs": 2,
        "pretrain_kg_epochs": 2,
        "pretrain_batch_size": 64,
    }
    _begun(tiny_dataset, make_settings(**values), tmp_path)
    _begun(tiny_dataset, make_settings(**{**values, **other}), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_damaged_kept_embeddings_are_named(tiny_dataset, make_settings, tmp_path):
    config = make_settings(model="katrec", pretrain_epochs=1)
    _begun(tiny_dataset, config, tmp_path)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=f"{path.name}: damaged .*"):
        _begun(tiny_dataset, config, tmp_path)


def test_a_folder_that_cannot_be_made_is_found_out_first(tiny_dataset, make_settings, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(GraphPretraining, "__init__", None)
    with pytest.raises(FileExistsError, match="file"):
        _begun(tiny_dataset, make_settings(model="katrec"), tmp_path / "file")


def test_a_stopped_one_goes_on_to_the_same_values(tiny_dataset, make_settings, tmp_path, monkeypatch):
    """BPR-MF takes two stretches and TransR three more: it is stopped after some, at BPR-MF's very end among them."""
    monkeypatch.setattr(pretraining, "TRACED_STEPS", 5)
    config = make_settings(pretrain_epochs=2, pretrain_kg_epochs=1, pretrain_batch_size=64, learning_rate=0.01)

    def begun(folder):
        model = build(config, tiny_dataset)
        one = GraphPretraining(model, tiny_dataset, config, tf.distribute.get_strategy(), folder, silent=False)
        assert [-(-steps // 5) for steps in (one._bpr_steps, one._triplet_steps)] == [2, 3]
        one.run()
        return [variable.numpy() for variable in model.triplet_variables]

    expected = begun(None)
    for calls in (1, 2, 4):
        folder, asked = str(tmp_path / str(calls)), iter([None] * (calls - 1) + [15])
        with monkeypatch.context() as patch:
            patch.setattr(interruption, "asked", lambda asked=asked: next(asked))
            with pytest.raises(interruption.Interrupted, match="the pre-training is saved in"):
                begun(folder)
        for one, other in zip(begun(folder), expected):
            np.testing.assert_array_equal(one, other)


S3REC = {"model": "s3rec", "pretrain_epochs": 3, "pretrain_batch_size": 64, "learning_rate": 0.01}


def _self_supervised(config, dataset, folder=None):
    """Returns a new model after its first stage, and the mean loss of each stretch of that stage's steps."""
    model = build(config, dataset)
    stage = SelfSupervisedPretraining(
        model, dataset, config, tf.distribute.get_strategy(), folder, silent=folder is None
    )
    steps, losses = stage._train_steps, []

    def noted(*arguments):
        steps(*arguments)
        losses.append(steps.take_losses()[0])

    stage._train_steps = noted
    stage.run()
    return model, losses


def test_s3recs_first_stage_learns_and_gives_the_model_its_values(tiny_dataset, make_settings, monkeypatch):
    monkeypatch.setattr(pretraining, "TRACED_STEPS", 5)
    config = make_settings(**S3REC)
    before = [variable.numpy() for variable in build(config, tiny_dataset).trainable_variables]
    model, losses = _self_supervised(config, tiny_dataset)
    # 287 training items, each the end of a sequence; none is longer than T.
    assert len(losses) == -(-3 * -(-np.minimum(np.diff(tiny_dataset.offsets), 8).sum() // 64) // 5)
    assert losses[-1] < 0.8 * losses[0]
    for variable, value in zip(model.trainable_variables, before):
        assert np.abs(variable.numpy() - value).max() > 1e-3, variable.name


def test_a_stopped_first_stage_goes_on_to_the_same_values(tiny_dataset, make_settings, tmp_path, monkeypatch):
    monkeypatch.setattr(pretraining, "TRACED_STEPS", 5)
    config = make_settings(**S3REC)
    expected = [variable.numpy() for variable in _self_supervised(config, tiny_dataset)[0].trainable_variables]
    asked = iter([None, 15])
    with monkeypatch.context() as patch:
        patch.setattr(interruption, "asked", lambda: next(asked))
        with pytest.raises(interruption.Interrupted, match="the pre-training is saved in"):
            _self_supervised(config, tiny_dataset, str(tmp_path))
    again, losses = _self_supervised(config, tiny_dataset, str(tmp_path))
    assert len(losses) == 1
    for one, other in zip(again.trainable_variables, expected):
        np.testing.assert_array_equal(one.numpy(), other)


def test_a_run_of_s3rec_begins_with_what_is_kept(tiny_dataset, make_settings, tmp_path):
    config = make_settings(**S3REC, train_steps=4, eval_every_steps=4)

    def run(name):
        return Trainer(config, tiny_dataset, str(tmp_path / name), str(tmp_path / "kept")).run()

    first = run("first")
    [kept] = (tmp_path / "kept").iterdir()
    values = dict(np.load(kept))
    np.savez(kept, **{**values, "seconds": 1000.0})
    second = run("second")
    assert list((tmp_path / "kept").iterdir()) == [kept]
    assert first["test"] == second["test"]
    # The time of the stage that was not repeated counts.
    assert first["seconds"] < 1000 < second["seconds"]
