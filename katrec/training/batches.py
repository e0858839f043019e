"""The training batches, a function of the seed and the step, so that a run can go on anywhere."""

import numpy as np
import tensorflow as tf

from katrec.data.negatives import ItemSampler, TripletSampler
from katrec.data.sequences import batch_order, padded, tokens_of, windows

ORDER_STREAM, TRIPLET_STREAM, NEGATIVE_STREAM = 1, 2, 3
PREFETCHED = 8


class Batches:
    """Batches of windows, of negatives and of triplets.

    Args:
      dataset: `Dataset`.
      graph: `CollaborativeGraph`, or None for a model without.
      model: the `Recommender` that is trained; a window has the items that it reads and the one that comes next.
      config: the run's settings.

    Raises:
      ValueError: no history has two items, or the model's negatives cannot be drawn.
    """

    def __init__(self, dataset, graph, model, config):
        self._items = dataset.items
        self._padding = tokens_of(dataset.num_items).padding
        self._windows = windows(dataset.offsets, model.history_length + 1, config.sliding_window)
        if not len(self._windows.users):
            raise ValueError("no user has two training items, there is nothing to learn from")
        self._triplet_sampler = TripletSampler(graph) if graph else None
        self._item_sampler = ItemSampler(dataset) if model.uses_negatives else None
        self._config = config
        self.per_epoch = -(-len(self._windows.users) // config.batch_size)

    def from_step(self, step):
        """Returns an iterator over the batches of step, step + 1, …, prepared ahead in the background.

        A batch is sequences int32[B, w], users int32[B], negatives int32[B, w] (int32[B, 0] for a model that uses
        none), triplets int32[kg_steps, n, 4].
        """
        return _prefetched(lambda: self._generate(step), [None, None], [None], [None, None], [None, None, 4])

    def _generate(self, step):
        config = self._config
        while True:
            epoch, first = divmod(step, self.per_epoch)
            order = np.random.default_rng([config.seed, ORDER_STREAM, epoch])
            for chosen in batch_order(self._windows.lengths, config.batch_size, order)[first:]:
                users, starts, lengths = (column[chosen] for column in self._windows)
                sequences = padded(self._items, starts, lengths, self._padding)
                yield sequences, users, self._negatives(step, users, sequences.shape[1]), self._triplets(step)
                step += 1

    def _negatives(self, step, users, width):
        if self._item_sampler is None:
            return np.empty((len(users), 0), np.int32)
        generator = np.random.default_rng([self._config.seed, NEGATIVE_STREAM, step])
        return self._item_sampler.sample(generator, users, width)

    def _triplets(self, step):
        if self._triplet_sampler is None:
            return np.empty((0, 0, 4), np.int32)
        config = self._config
        generator = np.random.default_rng([config.seed, TRIPLET_STREAM, step])
        triplets = self._triplet_sampler.sample(generator, config.kg_steps * config.kg_batch_size)
        return triplets.reshape(config.kg_steps, config.kg_batch_size, 4)


def triplet_batches(graph, batch_size, seed):
    """Returns an iterator over batches of triplets alone, int32[batch_size, 4], prepared ahead in the background.

    Args:
      graph: `CollaborativeGraph`.
      batch_size: triplets in a batch.
      seed: a list of integers; the batches are a function of it.
    """
    sampler = TripletSampler(graph)

    def generate():
        generator = np.random.default_rng(seed)
        while True:
            yield (sampler.sample(generator, batch_size),)

    return _prefetched(generate, [None, 4])


def _prefetched(generate, *shapes):
    signature = tuple(tf.TensorSpec(shape, tf.int32) for shape in shapes)
    return iter(tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(PREFETCHED))
