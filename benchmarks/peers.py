"""BERT4Rec and SASRec here and in RecTools 0.19 (PyTorch): sequences a second, and quality after the same epochs.

  python -m benchmarks.peers --dataset=ml-100k --epochs=20 [--model=sasrec]
  python -m benchmarks.peers --dataset_like=beauty --epochs=1

The same training histories (the last T items of each user, for SASRec and the one before them, one window each), size,
layers, heads, T, batch, mask share, dropout, softmax loss, learning rate, threads; both models score the validation
items with NDCG@10 among all items outside the history. RecTools gets an environment of its own, .venv-peers, made from
the extra `bench-peers`.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import metadata

import numpy as np
import tensorflow as tf
from absl import flags
from packaging.requirements import Requirement

from benchmarks.measure import report
from benchmarks.synthetic import define, like
from katrec import flags as settings_flags
from katrec.common import command_line
from katrec.common.command_line import FlagError, UserError
from katrec.data.dataset import load
from katrec.evaluation.ranking import Evaluator
from katrec.models import registry
from katrec.models.build import build
from katrec.training.batches import Batches
from katrec.training.step import TrainSteps

FLAGS = flags.FlagValues()
flags.DEFINE_string("dataset", "ml-100k", "A prepared data set.", flag_values=FLAGS)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_integer("epochs", 20, "Passes over the training histories.", 1, flag_values=FLAGS)
flags.DEFINE_list(
    "precisions", ["float32", "bfloat16"], "Products' types; both programs are timed with each.", flag_values=FLAGS
)
define(FLAGS)
settings_flags.define(FLAGS)
ENVIRONMENT, WORKER = ".venv-peers", os.path.join("benchmarks", "rectools_worker.py")
MODELS = ("bert4rec", "sasrec")
DEFAULTS = {
    "model": "bert4rec",
    "batch_size": 128,
    "last_item_share": 0.0,
    "warmup_steps": 0,
    "sasrec_loss": "cross_entropy",
}
RECTOOLS_PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed"}


def main():
    for name, value in DEFAULTS.items():
        FLAGS.set_default(name, value)
    if FLAGS.model not in MODELS:
        raise FlagError(f"--model={FLAGS.model}: choose from {', '.join(MODELS)}")
    if unknown := set(FLAGS.precisions) - set(RECTOOLS_PRECISION):
        raise FlagError(f"--precisions: {', '.join(sorted(unknown))}: choose from {', '.join(RECTOOLS_PRECISION)}")
    settings = settings_flags.read(FLAGS)
    synthetic = FLAGS["dataset_like"].present
    whole = like(FLAGS.dataset_like, FLAGS.scale) if synthetic else load(FLAGS.datasets_dir, FLAGS.dataset)
    # A left-to-right model reads T items and predicts those behind each.
    dataset = with_last_items(whole, settings.max_sequence_length + (settings.model == "sasrec"))
    sequences = int((np.diff(dataset.offsets) >= 2).sum())
    python = peers_python()
    rows = []
    for precision in FLAGS.precisions:
        settings = dataclasses.replace(settings, mixed_precision=precision != "float32")
        figures = {
            "RecTools": rectools(python, dataset, settings, precision, FLAGS.epochs),
            "katrec": katrec(dataset, settings, FLAGS.epochs),
        }
        speeds = {name: sequences * FLAGS.epochs / figure["seconds"] for name, figure in figures.items()}
        rows += [
            (
                f"{name}, {precision}",
                f"{figure['seconds']:.1f}",
                f"{speeds[name]:,.0f}",
                f"{speeds[name] / speeds['RecTools']:.2f}",
                "–" if synthetic else f"{figure['NDCG@10']:.4f}",
            )
            for name, figure in figures.items()
        ]
    report(
        f"{registry.MODELS[settings.model].title} on {dataset.name}: {sequences:,} sequences, {FLAGS.epochs} epochs, "
        f"q = {settings.hidden_dim}, {settings.num_layers} layers, {settings.num_heads} heads, "
        f"T = {settings.max_sequence_length}, batch {settings.batch_size}, seed {settings.seed}",
        rows,
        ("program", "seconds", "sequences a second", "times RecTools'", "validation NDCG@10, all items"),
    )


def with_last_items(dataset, count):
    """Returns the data set with the last `count` training items of each user."""
    lengths = np.minimum(np.diff(dataset.offsets), count)
    items = [dataset.items[end - length : end] for end, length in zip(dataset.offsets[1:], lengths)]
    return dataset._replace(offsets=np.concatenate([[0], np.cumsum(lengths)]), items=np.concatenate(items))


def katrec(dataset, settings, epochs):
    """Trains with this project; returns seconds, tracing included as RecTools' set-up is, and NDCG@10."""
    tf.keras.backend.clear_session()
    model = build(settings, dataset)
    batches = Batches(dataset, model, settings)
    settings = dataclasses.replace(settings, train_steps=epochs * batches.per_epoch)
    steps = TrainSteps(model, settings, tf.distribute.get_strategy())
    started = time.monotonic()
    iterator = batches.from_step(0)
    steps(iterator, 0, settings.train_steps)
    steps.take_losses()
    seconds = time.monotonic() - started
    return {
        "seconds": seconds,
        "NDCG@10": Evaluator(model, dataset, "valid", settings.num_negatives).evaluate()["full"]["NDCG@10"],
    }


def rectools(python, dataset, settings, precision, epochs):
    """Trains with RecTools in its own environment; returns seconds and NDCG@10."""
    with tempfile.TemporaryDirectory() as folder:
        data, output, path = (os.path.join(folder, name) for name in ("data.npz", "output.json", "specification.json"))
        np.savez(data, offsets=dataset.offsets, items=dataset.items, targets=dataset.valid)
        specification = {
            "model": settings.model,
            "data": data,
            "output": output,
            "epochs": epochs,
            "precision": RECTOOLS_PRECISION[precision],
            "threads": os.cpu_count(),
            "seed": settings.seed,
            "layers": settings.num_layers,
            "heads": settings.num_heads,
            "hidden_dim": settings.hidden_dim,
            "max_sequence_length": settings.max_sequence_length,
            "dropout": settings.hidden_dropout,
            "mask_share": settings.mask_share,
            "learning_rate": settings.learning_rate,
            "batch_size": settings.batch_size,
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(specification, file)
        if subprocess.run([python, WORKER, path], check=False, stdout=subprocess.DEVNULL).returncode:
            raise UserError("RecTools' run failed, its message is above")
        with open(output, encoding="utf-8") as file:
            return json.load(file)


def peers_python():
    """Returns the interpreter of RecTools' environment, made at the first call from the extra `bench-peers`."""
    python, installed = os.path.join(ENVIRONMENT, "bin", "python"), os.path.join(ENVIRONMENT, "installed")
    if not os.path.exists(installed):
        print(f"installing RecTools and PyTorch into {ENVIRONMENT}", flush=True)
        wanted = [Requirement(text) for text in metadata.requires("katrec")]
        wanted = [
            str(one).split(";")[0].strip()
            for one in wanted
            if one.marker and not one.marker.evaluate({"extra": ""}) and one.marker.evaluate({"extra": "bench-peers"})
        ]
        for command in (
            [sys.executable, "-m", "venv", ENVIRONMENT],
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted],
        ):
            if subprocess.run(command, check=False).returncode:
                raise UserError(f"could not make {ENVIRONMENT}, the message is above")
        open(installed, "w").close()
    return python


if __name__ == "__main__":
    command_line.run(main, FLAGS)
