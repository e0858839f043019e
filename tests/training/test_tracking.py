"""MLflow's copy of a run: its settings, every row, the result and the files."""

import json
import sys

import pytest

import katrec
from katrec.common.command_line import FlagError, UserError
from katrec.training import tracking
from katrec.training.log import Log
from katrec.training.run_directory import RunConfig
from tests.conftest import SMALL

SETTINGS = katrec.Settings(**{**SMALL, "model": "sasrec", "train_steps": 6, "eval_every_steps": 2})


@pytest.fixture
def client(tmp_path, monkeypatch):
    """A client of a store of its own."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store.db")
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/store.db")
    return mlflow.MlflowClient()


def train(datasets_dir, folder, **arguments):
    return katrec.fit("tiny", SETTINGS, str(folder / "run"), str(datasets_dir), tracking="mlflow", **arguments)


def only_run(client):
    [run] = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    return run


def test_a_run_that_is_stopped_and_goes_on_is_one_record(client, datasets_dir, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        add = Log.add

        def stops(log, step, *arguments):
            add(log, step, *arguments)
            if step == 4:
                raise RuntimeError("stopped")

        patch.setattr(Log, "add", stops)
        with pytest.raises(RuntimeError, match="stopped"):
            train(datasets_dir, tmp_path)
    assert only_run(client).info.status == "FAILED"
    run = train(datasets_dir, tmp_path)
    kept = only_run(client)
    assert kept.info.status == "FINISHED" and kept.info.run_name == "run"
    assert kept.data.params["model"] == "sasrec" and kept.data.params["hidden_dim"] == "16"
    assert kept.data.params["data/triplets.npz"] == run.dataset.checksums["triplets.npz"]
    assert kept.data.metrics["test/full/NDCG_10"] == run.metrics["test"]["full"]["NDCG@10"]
    assert kept.data.metrics["test/lists/Gini_10"] == run.metrics["test"]["lists"]["Gini@10"]
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    history = {one.step: one.value for one in client.get_metric_history(kept.info.run_id, "loss/sequence")}
    assert history == {row["step"]: row["loss"] for row in rows} and set(history) == {2, 4, 6}
    names = {file.path for file in client.list_artifacts(kept.info.run_id)}
    assert names == {"config.json", "metrics.jsonl", "result.json"}


def test_a_finished_run_is_recorded_afterwards(client, datasets_dir, tmp_path):
    katrec.fit("tiny", SETTINGS, str(tmp_path / "run"), str(datasets_dir))
    assert client.get_experiment_by_name("tiny") is None
    run = train(datasets_dir, tmp_path)
    kept = only_run(client)
    assert kept.data.metrics["test/sampled/MAP"] == run.metrics["test"]["sampled"]["MAP"]
    assert len(client.get_metric_history(kept.info.run_id, "valid/sampled/NDCG_10")) == 3


def test_begun_anew_is_another_record(client, datasets_dir, tmp_path):
    train(datasets_dir, tmp_path)
    train(datasets_dir, tmp_path, resume=False)
    assert len(client.search_runs([client.get_experiment_by_name("tiny").experiment_id])) == 2


def test_a_store_that_is_gone_does_not_end_the_training(client, datasets_dir, tmp_path, monkeypatch, capsys):
    import mlflow

    def gone(*arguments, **named):
        raise mlflow.exceptions.MlflowException("no route to host")

    record = tracking._Record(str(tmp_path / "made"), RunConfig("tiny", "", SETTINGS, {}))
    for name in ("log_batch", "set_terminated"):
        monkeypatch.setattr(mlflow.MlflowClient, name, gone)
    record.add({"step": 1, "loss": 1.0, "transr_loss": 0.0, "seconds": 1.0, "valid": {}})
    record.end("FINISHED")
    assert capsys.readouterr().err.count("no route to host; ") == 2


def test_what_cannot_be(datasets_dir, tmp_path, monkeypatch):
    with pytest.raises(FlagError, match="there is only mlflow"):
        katrec.fit("tiny", SETTINGS, str(tmp_path / "run"), str(datasets_dir), tracking="else")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UserError, match=r"pip install 'katrec\[tracking\]'"):
        train(datasets_dir, tmp_path)
