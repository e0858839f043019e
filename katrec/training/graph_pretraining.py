"""Initial embeddings of the graph: BPR-MF for items and users, then TransR for the rest (Section 4.2.5)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from katrec.data.dataset import Dataset
from katrec.layers.tracing import traced
from katrec.models.bprmf import BPRMF
from katrec.training.batches import Batches, triplet_batches
from katrec.training.optimizers import WarmupLinearDecay, adam, create_variables
from katrec.training.pretraining import Pretraining
from katrec.training.step import NotFiniteError, TrainSteps, triplet_step

TRIPLET_STREAM = 4


class GraphPretraining(Pretraining):
    """Gives a new KATRec's nodes and TransR their initial values.

    BPR-MF is trained on the training interactions for `pretrain_epochs`, and its vectors become e⁽⁰⁾ of items and
    users; with these fixed, TransR (Eq. 1) trains the other entities, cold items and the relations on the
    collaborative graph's edges for `pretrain_kg_epochs`. Both with the run's learning rate, falling linearly to 0.

    Arguments as in `Pretraining`; the model is a `KATRec`.
    """

    # kg_l2 through the model.
    READ = (
        *Pretraining.READ,
        "entity_dim",
        "pretrain_kg_epochs",
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

    def _make(self, dataset: Dataset) -> dict[str, Any]:
        settings, model, strategy = self._settings, self._model, self._strategy
        of_bpr = dataclasses.replace(
            settings,
            model="bprmf",
            hidden_dim=settings.entity_dim,
            batch_size=settings.pretrain_batch_size,
            warmup_steps=0,
        )
        triplets = settings.pretrain_kg_epochs * len(model.graph.heads)
        self._triplet_steps = -(-triplets // settings.pretrain_batch_size)
        self._bpr = BPRMF(of_bpr, dataset)
        self._batches = Batches(dataset, self._bpr, of_bpr)
        self._bpr_steps = settings.pretrain_epochs * self._batches.per_epoch
        self._train_bpr = TrainSteps(self._bpr, dataclasses.replace(of_bpr, train_steps=self._bpr_steps), strategy)
        self._optimizer = adam(WarmupLinearDecay(settings.learning_rate, 0, self._triplet_steps))
        create_variables(self._optimizer, model.triplet_variables)
        return {
            "bpr": self._bpr,
            "bpr_steps": self._train_bpr,
            "transr": model.triplet_variables,
            "transr_optimizer": self._optimizer,
        }

    @staticmethod
    def values_of(model: Any) -> Sequence[tf.Variable]:
        return model.triplet_variables

    def _train(self, done: int) -> None:
        # Also where it was stopped at its very end: its vectors are the nodes' only after that.
        if done <= self._bpr_steps:
            self._train_matrix_factorization(done)
        self._train_transr(max(0, done - self._bpr_steps))

    def _train_matrix_factorization(self, first):
        """Trains BPR-MF, whose item and user vectors become the nodes'."""
        self._train_first(self._train_bpr, self._batches, first, self._bpr_steps, "BPR-MF")
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
        for number, count in self._portions(first, self._triplet_steps, "TransR"):
            checked = self._train_triplets(batches, tf.constant(count))
            if not np.isfinite(checked):
                raise NotFiniteError(f"pre-training, TransR's step {number + count}: its loss or gradient is {checked}")
            self._after(self._bpr_steps + number + count)

    @traced
    def _train_triplets(self, batches, count):
        """Returns the sum of the steps' losses and gradients' norms, which is finite where all of them are."""

        def step(i, checked):
            parts = self._strategy.run(self._triplet_step, args=next(batches))
            return i + 1, checked + self._strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None)

        return tf.while_loop(lambda i, _: i < count, step, (0, 0.0))[1]

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
