"""A run's settings, metrics and files in MLflow (extra: tracking)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

from katrec.common import files
from katrec.common.command_line import FlagError, UserError, reason, warn
from katrec.common.interruption import Interrupted
from katrec.training import run_directory
from katrec.training.run_directory import RunConfig

OnRow = Callable[[Mapping[str, Any]], None]
MLFLOW = "mlflow"
ARTIFACTS = (run_directory.CONFIG, run_directory.METRICS, run_directory.RESULT)


@contextlib.contextmanager
def tracked(tracking: Optional[str], output_dir: str, config: RunConfig) -> Iterator[Optional[OnRow]]:
    """Keeps a record of the run that is trained within the block, beside what its directory has.

    MLflow decides where: MLFLOW_TRACKING_URI, or its own default, mlflow.db in the working directory. The experiment
    has the data set's name, the run that of `output_dir`. A run that goes on has one record.

    Args:
      tracking: "mlflow", or None for none.
      output_dir: the run directory, which is this run's.
      config: the run's.

    Yields:
      What to call with each new row of metrics.jsonl; None without tracking.

    Raises:
      FlagError: there is no such tracking.
      UserError: MLflow is not installed, or cannot be reached.
    """
    if not tracking:
        yield None
        return
    if tracking != MLFLOW:
        raise FlagError(f"--tracking={tracking}: there is only {MLFLOW}")
    record = _Record(output_dir, config)
    status = "FAILED"
    try:
        yield record.add
        status = "FINISHED"
    except Interrupted:
        status = "KILLED"
        raise
    finally:
        record.end(status)


class _Record:
    """One run in MLflow's store."""

    def __init__(self, output_dir: str, config: RunConfig) -> None:
        # It would tell its makers how it is used.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            import mlflow
        except ImportError:
            raise UserError("--tracking=mlflow needs MLflow: pip install 'katrec[tracking]'") from None
        self._mlflow = mlflow
        self._folder = output_dir
        self._path = os.path.join(output_dir, run_directory.TRACKING)
        try:
            self._client = mlflow.MlflowClient()
            self._run_id = self._known() or self._begun(config)
        except mlflow.exceptions.MlflowException as error:
            raise UserError(f"--tracking=mlflow: {mlflow.get_tracking_uri()}: {reason(error)}") from None

    def _known(self):
        """Returns the id of the record that an earlier process began, if it is still there."""
        if not os.path.exists(self._path):
            return None
        run_id = str(files.read_json(self._path))
        try:
            self._client.update_run(run_id, status="RUNNING")
        except self._mlflow.exceptions.MlflowException:
            return None
        return run_id

    def _begun(self, config):
        experiment = self._client.get_experiment_by_name(config.dataset)
        number = experiment.experiment_id if experiment else self._client.create_experiment(config.dataset)
        run_id = self._client.create_run(number, run_name=os.path.basename(self._folder.rstrip("/"))).info.run_id
        flat = {**config.flat(), **{f"data/{name}": checksum for name, checksum in config.checksums.items()}}
        parameters = [self._mlflow.entities.Param(name, str(value)) for name, value in flat.items() if name != "data"]
        self._client.log_batch(run_id, params=parameters)
        self._run_id = run_id
        for row in run_directory.read_rows(os.path.join(self._folder, run_directory.METRICS)):
            self.add(row)
        files.write_json(self._path, run_id)
        return run_id

    def add(self, row: Mapping[str, Any]) -> None:
        """Adds a row of metrics.jsonl; where the store is gone it says so, and the training goes on."""
        values = {"loss/sequence": row["loss"], "loss/transr": row["transr_loss"], "seconds": row["seconds"]}
        with self._or_a_warning():
            self._log({**values, **_flat("valid", row["valid"])}, row["step"])

    def end(self, status: str) -> None:
        """Adds what the directory has, and says how the run ended."""
        result = run_directory.read_result(self._folder)
        with self._or_a_warning():
            if result is not None:
                self._log(_flat("test", result["test"]), result["step"])
            for name in ARTIFACTS:
                path = os.path.join(self._folder, name)
                if os.path.exists(path):
                    self._client.log_artifact(self._run_id, path)
            self._client.set_terminated(self._run_id, status)

    @contextlib.contextmanager
    def _or_a_warning(self):
        try:
            yield
        except (self._mlflow.exceptions.MlflowException, OSError) as error:
            warn(f"--tracking=mlflow: {reason(error)}; {self._folder} has the same numbers")

    def _log(self, values, step):
        now = int(time.time() * 1000)
        metrics = [self._mlflow.entities.Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run_id, metrics=metrics)


def _flat(split, protocols):
    # MLflow's names have no @.
    return {
        f"{split}/{protocol}/{name.replace('@', '_')}": value
        for protocol, values in protocols.items()
        for name, value in values.items()
    }
