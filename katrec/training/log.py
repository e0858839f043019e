"""What a run says as it goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Optional

import tensorflow as tf

from katrec.common import files, sealed
from katrec.common.command_line import reason, warn
from katrec.training import run_directory
from katrec.training.tracking import OnRow


class Log:
    """What a run says as it goes on: metrics.jsonl and TensorBoard events, one row for each evaluation.

    Args:
      output_dir: the run directory.
      step: where the run begins or goes on; rows of later steps, which will be run again, are dropped.
      on_row: called with each row, or None.
    """

    def __init__(self, output_dir: str, step: int, on_row: Optional[OnRow] = None) -> None:
        self._on_row = on_row
        self._path = os.path.join(output_dir, run_directory.METRICS)
        self._keep_until(step)
        self._events = tf.summary.create_file_writer(os.path.join(output_dir, "tensorboard"))

    def _keep_until(self, step):
        rows = [row for row in run_directory.read_rows(self._path) if row["step"] <= step]
        with files.replacing(self._path) as file:
            file.writelines(map(_line, rows))

    def add(
        self, step: int, loss: float, transr_loss: float, valid: Mapping[str, Mapping[str, float]], seconds: float
    ) -> None:
        """Adds a row: mean losses since the last one, metrics on the validation items by protocol, seconds so far."""
        row = {
            "step": step,
            "loss": loss,
            "transr_loss": transr_loss,
            "valid": valid,
            "seconds": round(seconds, 1),
        }
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(_line(row))
        if self._on_row:
            self._on_row(row)
        try:
            self._add_event(step, loss, transr_loss, valid)
        except tf.errors.OpError as error:
            # metrics.jsonl has the same numbers.
            warn(f"{self._path}: TensorBoard's copy of step {step} cannot be written ({reason(error)})")

    def _add_event(self, step, loss, transr_loss, valid):
        with self._events.as_default(step=step):
            tf.summary.scalar("loss/sequence", loss)
            tf.summary.scalar("loss/transr", transr_loss)
            for protocol, metrics in valid.items():
                for name, metric in metrics.items():
                    tf.summary.scalar(f"valid/{protocol}/{name}", metric)
        self._events.flush()


def _line(row):
    return json.dumps(sealed.seal(row)) + "\n"
