"""The training batches, a function of the seed and the step, so that a run can go on anywhere."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from katrec.data.collaborative_graph import CollaborativeGraph
from katrec.data.dataset import Dataset
from katrec.data.negatives import ItemSampler, TripletSampler
from katrec.data.sequences import Windows, batch_order, padded, tokens_of, windows
from katrec.models.base import Batch, TrainedModel
from katrec.settings import Settings

ORDER_STREAM, TRIPLET_STREAM, NEGATIVE_STREAM = 1, 2, 3
PREFETCHED = 8


class Batches:
    """Batches of windows, of negatives and of triplets.

    Args:
      dataset: what is trained on.
      model: what is trained.
      settings: the run's settings.
      chosen: the windows; by default they have the items that the model reads and the one that comes next.

    Raises:
      ValueError: no history has two items, or the model's negatives cannot be drawn.
    """

    def __init__(
        self, dataset: Dataset, model: TrainedModel, settings: Settings, chosen: Optional[Windows] = None
    ) -> None:
        self._items = dataset.items
        self._padding = tokens_of(dataset.num_items).padding
        self._windows = chosen or windows(dataset.offsets, model.history_length + 1, settings.sliding_window)
        if not len(self._windows.users):
            raise ValueError("no user has two training items, there is nothing to learn from")
        graph = model.graph
        self._triplet_sampler = None if graph is None else TripletSampler(graph)
        self._item_sampler = ItemSampler(dataset) if model.uses_negatives else None
        self._settings = settings
        self.per_epoch = -(-len(self._windows.users) // settings.batch_size)

    def from_step(self, step: int) -> Iterator[tuple]:
        """Returns an iterator over the `Batch`es of step, step + 1, …, as tuples, prepared ahead in the background."""
        return _prefetched(lambda: self._generate(step), [None, None], [None], [None, None], [None, None, 4])

    def _generate(self, step):
        settings = self._settings
        while True:
            epoch, first = divmod(step, self.per_epoch)
            order = np.random.default_rng([settings.seed, ORDER_STREAM, epoch])
            for chosen in batch_order(self._windows.lengths, settings.batch_size, order)[first:]:
                users, starts, lengths = (column[chosen] for column in self._windows)
                sequences = padded(self._items, starts, lengths, self._padding)
                negatives = self._negatives(step, users, sequences.shape[1])
                yield Batch(sequences, users, negatives, self._triplets(step))
                step += 1

    def _negatives(self, step, users, width):
        if self._item_sampler is None:
            return np.empty((len(users), 0), np.int32)
        generator = np.random.default_rng([self._settings.seed, NEGATIVE_STREAM, step])
        return self._item_sampler.sample(generator, users, width)

    def _triplets(self, step):
        if self._triplet_sampler is None:
            return np.empty((0, 0, 4), np.int32)
        steps, size = self._settings.kg_steps, self._settings.kg_batch_size
        generator = np.random.default_rng([self._settings.seed, TRIPLET_STREAM, step])
        return self._triplet_sampler.sample(generator, steps * size).reshape(steps, size, 4)


def triplet_batches(graph: CollaborativeGraph, batch_size: int, seed: list[int], step: int) -> Iterator[tuple]:
    """Returns an iterator over batches of triplets alone, int32[batch_size, 4], prepared ahead in the background.

    Args:
      graph: where the triplets are from.
      batch_size: triplets in a batch.
      seed: the batches are a function of it.
      step: so many batches are left out at the beginning.
    """
    sampler = TripletSampler(graph)

    def generate():
        generator = np.random.default_rng(seed)
        for number in itertools.count():
            batch = sampler.sample(generator, batch_size)
            if number >= step:
                yield (batch,)

    return _prefetched(generate, [None, 4])


def _prefetched(generate: Callable[[], Iterable[Any]], *shapes: list[Optional[int]]) -> Iterator[tuple]:
    signature = tuple(tf.TensorSpec(shape, tf.int32) for shape in shapes)
    return iter(tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(PREFETCHED))
