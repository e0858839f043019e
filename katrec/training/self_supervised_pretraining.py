"""S3-Rec's first stage: its encoder is trained on four tasks of its own making."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from katrec.data.dataset import Dataset
from katrec.data.sequences import prefixes
from katrec.models import precision
from katrec.models.s3rec import SelfSupervision
from katrec.training.batches import Batches
from katrec.training.pretraining import Pretraining
from katrec.training.step import TrainSteps

# Its authors do not clip; a norm that no gradient reaches, and whose inverse float32 still has.
UNCLIPPED = 1e30


class SelfSupervisedPretraining(Pretraining):
    """Gives a new `S3Rec` the items and the transformer that `SelfSupervision` trains, for `pretrain_epochs`.

    Of each history's last T items every beginning is a sequence. With the run's learning rate, falling linearly to 0.

    Arguments as in `Pretraining`.
    """

    READ = (
        *Pretraining.READ,
        "max_sequence_length",
        "hidden_dim",
        "num_heads",
        "hidden_dropout",
        "attention_dropout",
        "positional_embedding",
        "learning_rate",
        "weight_decay",
        "mask_share",
        "mixed_precision",
        "cold_item_share",
        "cold_seed",
    )

    def _make(self, dataset: Dataset) -> dict[str, Any]:
        settings = self._settings
        own = dataclasses.replace(
            settings, batch_size=settings.pretrain_batch_size, warmup_steps=0, clip_norm=UNCLIPPED
        )
        trained = SelfSupervision(self._model, settings, dataset, precision.policy(settings.mixed_precision))
        self._batches = Batches(dataset, trained, own, prefixes(dataset.offsets, settings.max_sequence_length))
        self._steps = settings.pretrain_epochs * self._batches.per_epoch
        self._train_steps = TrainSteps(trained, dataclasses.replace(own, train_steps=self._steps), self._strategy)
        return {"model": trained, "steps": self._train_steps}

    @staticmethod
    def values_of(model: Any) -> Sequence[tf.Variable]:
        return model.trainable_variables

    def _train(self, done: int) -> None:
        self._train_first(self._train_steps, self._batches, done, self._steps, "S3-Rec")
