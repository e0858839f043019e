"""BERT4Rec here and in RecTools 0.19 (PyTorch): sequences a second and quality after the same epochs, in one run.

  python -m benchmarks.peers --dataset=ml-100k --epochs=20
  python -m benchmarks.peers --dataset_like=beauty --epochs=1

The same training histories (the last T items of each user, one window each), size, layers, heads, T, batch, mask
share, dropout, softmax loss, learning rate, threads; both models score the validation items with NDCG@10 among all
items outside the history. RecTools gets an environment of its own, .venv-peers, made from the extra `bench-peers`.
"""

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
from benchmarks.synthetic import like
from katrec import settings
from katrec.common.command_line import FlagError, UserError, run
from katrec.data.dataset import load
from katrec.evaluation.ranking import Evaluator
from katrec.models.build import build
from katrec.training.batches import Batches
from katrec.training.step import TrainSteps

FLAGS = flags.FLAGS
flags.DEFINE_integer("epochs", 20, "Passes over the training histories.", 1)
flags.DEFINE_list("precisions", ["float32", "bfloat16"], "Products' types; both programs are timed with each.")
flags.adopt_module_key_flags(settings)
ENVIRONMENT, WORKER = ".venv-peers", os.path.join("benchmarks", "rectools_worker.py")
RECTOOLS_PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed"}


def main():
    for name, value in (("output_dir", "none"), ("batch_size", 128), ("last_item_share", 0.0), ("warmup_steps", 0)):
        FLAGS.set_default(name, value)
    FLAGS.model = "bert4rec"
    if unknown := set(FLAGS.precisions) - set(RECTOOLS_PRECISION):
        raise FlagError(f"--precisions: {', '.join(sorted(unknown))}: choose from {', '.join(RECTOOLS_PRECISION)}")
    config = settings.from_flags()
    synthetic = FLAGS["dataset_like"].present
    whole = like(FLAGS.dataset_like, FLAGS.scale) if synthetic else load(config.datasets_dir, config.dataset)
    dataset = with_last_items(whole, config.max_sequence_length)
    sequences = int((np.diff(dataset.offsets) >= 2).sum())
    python = peers_python()
    rows = []
    for precision in FLAGS.precisions:
        config.mixed_precision = precision != "float32"
        figures = {"RecTools": rectools(python, dataset, config, precision), "katrec": katrec(dataset, config)}
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
        f"BERT4Rec on {dataset.name}: {sequences:,} sequences, {FLAGS.epochs} epochs, q = {config.hidden_dim}, "
        f"{config.num_layers} layers, {config.num_heads} heads, T = {config.max_sequence_length}, batch "
        f"{config.batch_size}, seed {config.seed}",
        rows,
        ("program", "seconds", "sequences a second", "times RecTools'", "validation NDCG@10, all items"),
    )


def with_last_items(dataset, count):
    """Returns the data set with the last `count` training items of each user."""
    lengths = np.minimum(np.diff(dataset.offsets), count)
    items = [dataset.items[end - length : end] for end, length in zip(dataset.offsets[1:], lengths)]
    return dataset._replace(offsets=np.concatenate([[0], np.cumsum(lengths)]), items=np.concatenate(items))


def katrec(dataset, config):
    """Trains with this project; returns seconds, tracing included as RecTools' set-up is, and NDCG@10."""
    tf.keras.backend.clear_session()
    model, graph = build(config, dataset)
    batches = Batches(dataset, graph, model, config)
    config.train_steps = FLAGS.epochs * batches.per_epoch
    steps = TrainSteps(model, config, tf.distribute.get_strategy())
    started = time.monotonic()
    iterator = batches.from_step(0)
    steps(iterator, 0, config.train_steps)
    steps.take_losses()
    seconds = time.monotonic() - started
    return {
        "seconds": seconds,
        "NDCG@10": Evaluator(model, dataset, "valid", config.num_negatives).evaluate()["full"]["NDCG@10"],
    }


def rectools(python, dataset, config, precision):
    """Trains with RecTools in its own environment; returns seconds and NDCG@10."""
    with tempfile.TemporaryDirectory() as folder:
        data, output, path = (os.path.join(folder, name) for name in ("data.npz", "output.json", "specification.json"))
        np.savez(data, offsets=dataset.offsets, items=dataset.items, targets=dataset.valid)
        specification = {
            "data": data,
            "output": output,
            "epochs": FLAGS.epochs,
            "precision": RECTOOLS_PRECISION[precision],
            "threads": os.cpu_count(),
            "seed": config.seed,
            "layers": config.num_layers,
            "heads": config.num_heads,
            "hidden_dim": config.hidden_dim,
            "max_sequence_length": config.max_sequence_length,
            "dropout": config.hidden_dropout,
            "mask_share": config.mask_share,
            "learning_rate": config.learning_rate,
            "batch_size": config.batch_size,
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
    run(main)
