"""Initial embeddings of the graph: BPR-MF for items and users, then TransR for the rest (Section 4.2.5)."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from typing import Any, Optional

import tensorflow as tf
from tqdm import tqdm

from katrec.data.dataset import Dataset
from katrec.models import registry
from katrec.settings import Settings
from katrec.training import kept_embeddings
from katrec.training.batches import Batches, triplet_batches
from katrec.training.optimizers import WarmupLinearDecay, adam, create_variables
from katrec.training.step import TrainSteps, triplet_step

TRIPLET_STREAM = 4
TRACED_STEPS = 50
# All of a run's settings that pre-training reads (kg_l2 through the model): what is kept for others is found by them.
READ = (
    "seed",
    "distribution",
    "entity_dim",
    "pretrain_epochs",
    "pretrain_kg_epochs",
    "pretrain_batch_size",
    "learning_rate",
    "weight_decay",
    "clip_norm",
    "bpr_l2",
    "kg_l2",
    "kg_steps",
    "sliding_window",
)


def wanted(settings: Settings) -> bool:
    """Returns whether the run that the settings describe begins with pre-trained embeddings."""
    return registry.MODELS[settings.model].pretrained_with is not None and settings.pretrained_embeddings


def pretrain(
    model: Any,
    dataset: Dataset,
    settings: Settings,
    strategy: tf.distribute.Strategy,
    pretrained_dir: Optional[str] = None,
    silent: bool = False,
) -> float:
    """Gives a new KATRec's nodes and TransR their initial values.

    BPR-MF is trained on the training interactions for `pretrain_epochs`, and its vectors become e⁽⁰⁾ of items and
    users; with these fixed, TransR (Eq. 1) trains the other entities and the relations on the collaborative graph's
    edges for `pretrain_kg_epochs`. Both with the run's learning rate, falling linearly to 0.

    Args:
      model: `KATRec`.
      dataset: what it will be trained on.
      settings: the run's settings.
      strategy: whose replicas share each batch.
      pretrained_dir: where values are kept; if an earlier run left them there, they are taken.
      silent: without progress bars.

    Returns:
      The seconds that it took, now or in the earlier run.

    Raises:
      UserError: the earlier run's file is damaged.
    """
    started = time.monotonic()
    path, seconds = None, None
    if pretrained_dir:
        # A folder that cannot be made is found out now, not after the pre-training.
        os.makedirs(pretrained_dir, exist_ok=True)
        read = {name: getattr(settings, name) for name in READ}
        path = kept_embeddings.path_of(pretrained_dir, model.triplet_variables, read, dataset.checksums)
        seconds = kept_embeddings.restore(path, model.triplet_variables)
    if seconds is None:
        items, users = _matrix_factorization(dataset, settings, strategy, silent)
        nodes = model.encoder.nodes
        others = nodes[model.num_items : model.num_entities]
        nodes.assign(tf.concat([items, others, users], axis=0))
        _triplets(model, settings, strategy, silent)
        seconds = time.monotonic() - started
        if path:
            kept_embeddings.keep(path, model.triplet_variables, seconds)
    elif not silent:
        print(f"pre-trained embeddings of an earlier run: {path}")
    model.refresh_attention()
    return seconds


def _matrix_factorization(dataset, settings, strategy, silent):
    """Returns BPR-MF's item and user vectors."""
    tf.keras.utils.set_random_seed(settings.seed)
    name = registry.MODELS[settings.model].pretrained_with
    of_bpr = dataclasses.replace(
        settings,
        model=name,
        hidden_dim=settings.entity_dim,
        batch_size=settings.pretrain_batch_size,
        warmup_steps=0,
    )
    with strategy.scope():
        model = registry.model_class(name)(of_bpr, dataset)
        batches = Batches(dataset, model, of_bpr)
        of_bpr = dataclasses.replace(of_bpr, train_steps=settings.pretrain_epochs * batches.per_epoch)
        steps = TrainSteps(model, of_bpr, strategy)
    iterator = batches.from_step(0)
    for number, count in _portions(of_bpr.train_steps, "pre-training: BPR-MF", silent):
        steps(iterator, number, count)
    return tf.convert_to_tensor(model.items), tf.convert_to_tensor(model.users)


def _triplets(model, settings, strategy, silent):
    graph = model.graph
    number_of_steps = -(-settings.pretrain_kg_epochs * len(graph.heads) // settings.pretrain_batch_size)
    with strategy.scope():
        optimizer = adam(WarmupLinearDecay(settings.learning_rate, 0, number_of_steps))
        create_variables(optimizer, model.triplet_variables)

    def step(triplets):
        triplet_step(model, optimizer, triplets, settings.clip_norm, strategy, entities_only=True)

    @tf.function
    def run(batches, count):
        for _ in tf.range(count):
            strategy.run(step, args=next(batches))

    batches = triplet_batches(graph, settings.pretrain_batch_size, [settings.seed, TRIPLET_STREAM])
    for _, count in _portions(number_of_steps, "pre-training: TransR", silent):
        run(batches, tf.constant(count))


def _portions(total: int, title: str, silent: bool) -> Iterator[tuple[int, int]]:
    """Yields first step and number of steps of each stretch that is run at once, with a progress bar."""
    with tqdm(total=total, unit="step", desc=title, mininterval=1.0, dynamic_ncols=True, disable=silent) as bar:
        for first in range(0, total, TRACED_STEPS):
            count = min(TRACED_STEPS, total - first)
            yield first, count
            bar.update(count)
