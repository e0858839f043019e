"""What one TensorFlow stack writes, and what it reads of another's: python -m tests.stack write|read FOLDER.

`write` trains each model for 100 steps in FOLDER/runs, a SavedModel of it goes to FOLDER/models; `read` prints what the
best weights and the SavedModels say, as JSON.
"""

import json
import sys
from pathlib import Path

import katrec
from katrec.models.registry import MODELS
from tests import tiny
from tests.conftest import SMALL

# An evaluation after each step: its row in metrics.jsonl has the step's losses.
SETTINGS = {**SMALL, "train_steps": 100, "eval_every_steps": 1, "patience": 1000, "pretrain_kg_epochs": 1}
# So that the losses do change in these steps.
SETTINGS["learning_rate"] = 0.005
HISTORIES = [["i0", "i4"], ["i1", "i2", "i5", "i9"], ["i23"]]
NAME = "tiny"


def write(folder):
    tiny.prepare(tiny.write_atomic(folder / "raw"), folder / "datasets")
    for model in MODELS:
        settings = katrec.Settings(**SETTINGS, model=model)
        run = katrec.fit(NAME, settings, str(folder / "runs" / model), str(folder / "datasets"))
        run.export(str(folder / "models" / model))


def read(folder):
    said = {}
    for model in MODELS:
        metrics = katrec.Run(str(folder / "runs" / model), str(folder / "datasets")).evaluate()
        recommended = katrec.Recommender.load(str(folder / "models" / model)).recommend(HISTORIES, k=8)
        said[model] = {"metrics": metrics, "recommended": recommended}
    return said


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        print(json.dumps(read(Path(sys.argv[2]))))
