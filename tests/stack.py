"""What one TensorFlow stack writes, and what it reads of another's.

  python -m tests.stack write FOLDER
  python -m tests.stack read FOLDER THEIRS

`write` trains each model for 100 steps in FOLDER/runs, keeps in FOLDER/stopped what a run had left that was stopped
half way, and exports to FOLDER/models; recommended.json has what the exports say. `read` goes on in FOLDER/continued
from THEIRS/stopped, and prints what the best weights and the SavedModels in THEIRS say, as JSON.
"""

import json
import shutil
import sys
from pathlib import Path

import pytest

import katrec
from katrec.models.registry import MODELS
from katrec.training.log import Log
from tests import tiny
from tests.conftest import SMALL

NAME = "tiny"
# An evaluation after each step: its row in metrics.jsonl has the step's losses.
SETTINGS = {**SMALL, "train_steps": 100, "eval_every_steps": 1, "patience": 1000, "pretrain_kg_epochs": 1}
STOPPED_AT = 50
HISTORIES = [["i0", "i4"], ["i1", "i2", "i5", "i9"], ["i23"]]


def write(folder):
    tiny.prepare(tiny.write_atomic(folder / "raw"), folder / "datasets")
    recommended = {}
    for model in MODELS:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="stopped"):
            patch.setattr(Log, "add", _stops(Log.add))
            _fit(model, folder / "runs", folder)
        shutil.copytree(folder / "runs" / model, folder / "stopped" / model)
        served = _fit(model, folder / "runs", folder).export(str(folder / "models" / model))
        recommended[model] = served.recommend(HISTORIES, k=8)
    (folder / "recommended.json").write_text(json.dumps(recommended))


def _stops(add):
    def stop(log, step, *arguments):
        add(log, step, *arguments)
        if step == STOPPED_AT:
            raise RuntimeError("stopped")

    return stop


def _fit(model, runs, folder):
    settings = katrec.Settings(**SETTINGS, model=model)
    return katrec.fit(NAME, settings, str(runs / model), str(folder / "datasets"))


def read(folder, theirs):
    said = {}
    for model in MODELS:
        shutil.copytree(theirs / "stopped" / model, folder / "continued" / model)
        _fit(model, folder / "continued", theirs)
        metrics = katrec.Run(str(theirs / "runs" / model), str(theirs / "datasets")).evaluate()
        recommended = katrec.Recommender.load(str(theirs / "models" / model)).recommend(HISTORIES, k=8)
        said[model] = {"metrics": metrics, "recommended": recommended}
    return said


if __name__ == "__main__":
    folders = map(Path, sys.argv[2:])
    if sys.argv[1] == "write":
        write(*folders)
    else:
        print(json.dumps(read(*folders)))
