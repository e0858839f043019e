"""Initial embeddings of the graph: BPR-MF for items and users, then TransR for the rest (Section 4.2.5)."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from typing import Any, Optional

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from katrec.common import interruption
from katrec.data.dataset import Dataset
from katrec.models import registry
from katrec.settings import Settings
from katrec.training import kept_embeddings
from katrec.training.batches import Batches, triplet_batches
from katrec.training.checkpoints import PRETRAINING, Checkpoints
from katrec.training.optimizers import WarmupLinearDecay, adam, create_variables
from katrec.training.step import NotFiniteError, TrainSteps, triplet_step

TRIPLET_STREAM = 4
TRACED_STEPS = 50
SAVE_SECONDS = 60
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
    "cold_item_share",
    "cold_seed",
)


def wanted(settings: Settings) -> bool:
    """Returns whether the run that the settings describe begins with pre-trained embeddings."""
    begins = registry.MODELS[settings.model].pretrained_with is not None and settings.pretrained_embeddings
    return begins and not settings.init_from


def pretrain(
    model: Any,
    dataset: Dataset,
    settings: Settings,
    strategy: tf.distribute.Strategy,
    pretrained_dir: Optional[str] = None,
    silent: bool = False,
    output_dir: Optional[str] = None,
) -> float:
    """Gives a new KATRec's nodes and TransR their initial values.

    BPR-MF is trained on the training interactions for `pretrain_epochs`, and its vectors become e⁽⁰⁾ of items and
    users; with these fixed, TransR (Eq. 1) trains the other entities, cold items and the relations on the
    collaborative graph's edges for `pretrain_kg_epochs`. Both with the run's learning rate, falling linearly to 0.

    Args:
      model: `KATRec`.
      dataset: what it will be trained on.
      settings: the run's settings.
      strategy: whose replicas share each batch.
      pretrained_dir: where values are kept; if an earlier run left them there, they are taken.
      silent: without progress bars, and on a worker that is not the chief: nothing is written.
      output_dir: the run directory, where a pre-training that is stopped goes on; None for one that begins anew.

    Returns:
      The seconds that it took, now or in the earlier run.

    Raises:
      UserError: the earlier run's file is damaged, or a loss is not finite.
      Interrupted: Ctrl-C or SIGTERM; what was reached is saved.
    """
    path, seconds = None, None
    if pretrained_dir:
        # A folder that cannot be made is found out now, not after the pre-training.
        os.makedirs(pretrained_dir, exist_ok=True)
        read = {name: getattr(settings, name) for name in READ}
        path = kept_embeddings.path_of(pretrained_dir, model.triplet_variables, read, dataset.checksums)
        seconds = kept_embeddings.restore(path, model.triplet_variables)
    if seconds is None:
        seconds = _Pretraining(model, dataset, settings, strategy, output_dir, silent).run()
        if path:
            kept_embeddings.keep(path, model.triplet_variables, seconds)
    elif not silent:
        print(f"pre-trained embeddings of an earlier run: {path}")
    model.refresh_attention()
    return seconds


class _Pretraining(tf.Module):
    """Both parts of a pre-training, and how far it is; arguments as in `pretrain`."""

    def __init__(self, model, dataset, settings, strategy, output_dir, silent):
        super().__init__()
        self._model, self._settings, self._strategy, self._silent = model, settings, strategy, silent
        self._output_dir = output_dir
        tf.keras.utils.set_random_seed(settings.seed)
        name = registry.MODELS[settings.model].pretrained_with
        of_bpr = dataclasses.replace(
            settings,
            model=name,
            hidden_dim=settings.entity_dim,
            batch_size=settings.pretrain_batch_size,
            warmup_steps=0,
        )
        triplets = settings.pretrain_kg_epochs * len(model.graph.heads)
        self._triplet_steps = -(-triplets // settings.pretrain_batch_size)
        with strategy.scope():
            self._bpr = registry.model_class(name)(of_bpr, dataset)
            self._batches = Batches(dataset, self._bpr, of_bpr)
            self._bpr_steps = settings.pretrain_epochs * self._batches.per_epoch
            self._train_bpr = TrainSteps(self._bpr, dataclasses.replace(of_bpr, train_steps=self._bpr_steps), strategy)
            self._optimizer = adam(WarmupLinearDecay(settings.learning_rate, 0, self._triplet_steps))
            create_variables(self._optimizer, model.triplet_variables)
        # Of both parts together, one after the other.
        self._done = tf.Variable(0, trainable=False, dtype=tf.int64)
        self._seconds = tf.Variable(0.0, trainable=False, dtype=tf.float64)
        self._checkpoints = None
        if output_dir is not None:
            self._checkpoints = Checkpoints(
                output_dir,
                PRETRAINING,
                bpr=self._bpr,
                bpr_steps=self._train_bpr,
                transr=model.triplet_variables,
                transr_optimizer=self._optimizer,
                done=self._done,
                seconds=self._seconds,
            )

    def run(self) -> float:
        """Runs both parts, from where an earlier process was stopped; returns the seconds of all."""
        if self._checkpoints and self._checkpoints.restore(tidy=not self._silent) and not self._silent:
            print(f"going on with the pre-training, from its step {int(self._done):,} in {self._output_dir}")
        self._started = self._saved = time.monotonic()
        self._started -= float(self._seconds)
        with interruption.held():
            done = int(self._done)
            # Also where it was stopped at its very end: its vectors are the nodes' only after that.
            if done <= self._bpr_steps:
                self._train_matrix_factorization(done)
            self._train_transr(max(0, done - self._bpr_steps))
        return time.monotonic() - self._started

    def _train_matrix_factorization(self, first):
        """Trains BPR-MF, whose item and user vectors become the nodes'."""
        batches = self._batches.from_step(first)
        for number, count in self._portions(first, self._bpr_steps, "pre-training: BPR-MF"):
            self._train_bpr(batches, number, count)
            self._after(0, number + count)
        nodes = self._model.encoder.nodes
        others = nodes[self._model.num_items : self._model.num_entities]
        items, users = (tf.convert_to_tensor(table) for table in (self._bpr.items, self._bpr.users))
        # No interaction has trained a cold item's vector: TransR does, from the beginning.
        items = tf.where(self._model.is_cold[:, None], nodes[: self._model.num_items], items)
        nodes.assign(tf.concat([items, others, users], axis=0))

    def _train_transr(self, first):
        """Trains TransR on the collaborative graph; items, but for cold ones, and users stay as they are."""
        settings = self._settings
        seed = [settings.seed, TRIPLET_STREAM]
        batches = triplet_batches(self._model.graph, settings.pretrain_batch_size, seed, first)
        for number, count in self._portions(first, self._triplet_steps, "pre-training: TransR"):
            checked = self._train_triplets(batches, tf.constant(count))
            if not np.isfinite(checked):
                raise NotFiniteError(f"pre-training, TransR's step {number + count}: its loss or gradient is {checked}")
            self._after(self._bpr_steps, number + count)

    @tf.function
    def _train_triplets(self, batches, count):
        """Returns the sum of the steps' losses and gradients' norms, which is finite where all of them are."""
        checked = 0.0
        for _ in tf.range(count):
            parts = self._strategy.run(self._triplet_step, args=next(batches))
            checked += self._strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None)
        return checked

    def _triplet_step(self, triplets):
        return tf.add(
            *triplet_step(
                self._model,
                self._optimizer,
                triplets,
                self._settings.clip_norm,
                self._strategy,
                entities_only=True,
            )
        )

    def _after(self, before, done):
        """Saves now and then, and ends where that is asked.

        Args:
          before: steps of the parts before this one.
          done: steps of this one.
        """
        asked, now = interruption.asked(), time.monotonic()
        if self._checkpoints and (asked or now - self._saved > SAVE_SECONDS):
            self._done.assign(before + done)
            self._seconds.assign(now - self._started)
            if not self._silent:
                self._checkpoints.save()
            self._saved = now
        if asked:
            raise interruption.Interrupted(
                f"interrupted; the pre-training is saved in {self._output_dir}, the same command goes on from there"
                if self._checkpoints
                else ""
            )

    def _portions(self, first: int, total: int, title: str) -> Iterator[tuple[int, int]]:
        """Yields first step and number of steps of each stretch that is run at once, with a progress bar."""
        with tqdm(
            total=total,
            initial=first,
            unit="step",
            desc=title,
            mininterval=1.0,
            dynamic_ncols=True,
            disable=self._silent,
        ) as bar:
            for number in range(first, total, TRACED_STEPS):
                count = min(TRACED_STEPS, total - number)
                yield number, count
                bar.update(count)
