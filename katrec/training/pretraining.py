"""What comes before some models' training: stages that end with initial values, and go on where they were stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Optional

import tensorflow as tf
from tqdm import tqdm

from katrec.common import interruption
from katrec.data.dataset import Dataset
from katrec.models import registry
from katrec.settings import Settings
from katrec.training import kept_embeddings
from katrec.training.batches import Batches
from katrec.training.checkpoints import PRETRAINING, Checkpoints
from katrec.training.step import TrainSteps

TRACED_STEPS = 50
SAVE_SECONDS = 60


def wanted(settings: Settings) -> bool:
    """Returns whether the run that the settings describe begins with a pre-training."""
    begins = registry.MODELS[settings.model].pretraining is not None and settings.pretrained_embeddings
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
    """Gives a new model its initial values, by the `Pretraining` that the registry names.

    Args:
      model: what will be trained.
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
    kind = registry.load(registry.MODELS[settings.model].pretraining)
    if pretrained_dir:
        # A folder that cannot be made is found out now, not after the pre-training.
        os.makedirs(pretrained_dir, exist_ok=True)
        read = {name: getattr(settings, name) for name in kind.READ}
        path = kept_embeddings.path_of(pretrained_dir, kind.values_of(model), read, dataset.checksums)
        seconds = kept_embeddings.restore(path, kind.values_of(model))
    if seconds is None:
        seconds = kind(model, dataset, settings, strategy, output_dir, silent).run()
        if path:
            kept_embeddings.keep(path, kind.values_of(model), seconds)
    elif not silent:
        print(f"pre-trained values of an earlier run: {path}")
    model.refresh_attention()
    return seconds


class Pretraining(tf.Module):
    """The stages before a model's training, and how far they are.

    A subclass defines `READ`, `values_of`, `_make` and `_train`.

    Args:
      model: as all the following, as in `pretrain`.
      dataset, settings, strategy, output_dir, silent: as there.

    Attributes:
      READ: all of a run's settings that it reads: what is kept for other runs is found by them.
    """

    READ: ClassVar[tuple[str, ...]] = ("seed", "distribution", "pretrain_epochs", "pretrain_batch_size")

    def __init__(
        self,
        model: Any,
        dataset: Dataset,
        settings: Settings,
        strategy: tf.distribute.Strategy,
        output_dir: Optional[str],
        silent: bool,
    ) -> None:
        super().__init__()
        self._model, self._settings, self._strategy, self._silent = model, settings, strategy, silent
        self._output_dir = output_dir
        # Of all stages together, one after the other.
        self._done = tf.Variable(0, trainable=False, dtype=tf.int64)
        self._seconds = tf.Variable(0.0, trainable=False, dtype=tf.float64)
        tf.keras.utils.set_random_seed(settings.seed)
        with strategy.scope():
            parts = self._make(dataset)
        self._checkpoints = None
        if output_dir is not None:
            self._checkpoints = Checkpoints(output_dir, PRETRAINING, **parts, done=self._done, seconds=self._seconds)

    @staticmethod
    def values_of(model: Any) -> Sequence[tf.Variable]:
        """Returns the model's variables that get their initial values."""
        raise NotImplementedError

    def _make(self, dataset: Dataset) -> dict[str, Any]:
        """Makes what the stages train, in the strategy's scope; returns what a checkpoint holds, named."""
        raise NotImplementedError

    def _train(self, done: int) -> None:
        """Runs the stages from step `done` of all of them on, and gives the model its values."""
        raise NotImplementedError

    def run(self) -> float:
        """Runs all stages, from where an earlier process was stopped; returns the seconds of all."""
        if self._checkpoints and self._checkpoints.restore(tidy=not self._silent) and not self._silent:
            print(f"going on with the pre-training, from its step {int(self._done):,} in {self._output_dir}")
        self._started = self._saved = time.monotonic()
        self._started -= float(self._seconds)
        with interruption.held():
            self._train(int(self._done))
        return time.monotonic() - self._started

    def _train_first(self, steps: TrainSteps, batches: Batches, first: int, total: int, title: str) -> None:
        """Trains the first stage, a model's own loss, up to step `total`."""
        ahead = batches.from_step(first)
        for number, count in self._portions(first, total, title):
            steps(ahead, number, count)
            self._after(number + count)

    def _after(self, done: int) -> None:
        """Saves now and then, and ends where that is asked, after step `done` of all stages."""
        asked, now = interruption.asked(), time.monotonic()
        if self._checkpoints and (asked or now - self._saved > SAVE_SECONDS):
            self._done.assign(done)
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
            desc=f"pre-training: {title}",
            mininterval=1.0,
            dynamic_ncols=True,
            disable=self._silent,
        ) as bar:
            for number in range(first, total, TRACED_STEPS):
                count = min(TRACED_STEPS, total - number)
                yield number, count
                bar.update(count)
