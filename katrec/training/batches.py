"""The training batches, a function of the seed and the step, so that a run can go on anywhere."""

import numpy as np
import tensorflow as tf

from katrec.data.negatives import TripletSampler
from katrec.data.sequences import batch_order, padded, tokens_of, windows

ORDER_STREAM, TRIPLET_STREAM = 1, 2
PREFETCHED = 8


class Batches:
    """Batches of windows and of triplets.

    Args:
      dataset: `Dataset`.
      graph: `CollaborativeGraph`, or None for a model without.
      config: the run's settings.

    Raises:
      ValueError: no history has two items.
    """

    def __init__(self, dataset, graph, config):
        self._items = dataset.items
        self._padding = tokens_of(dataset.num_items).padding
        self._windows = windows(dataset.offsets, config.max_sequence_length, config.sliding_window)
        if not len(self._windows.users):
            raise ValueError("no user has two training items, there is nothing to learn from")
        self._sampler = TripletSampler(graph) if graph else None
        self._config = config
        self.per_epoch = -(-len(self._windows.users) // config.batch_size)

    def from_step(self, step):
        """Returns an iterator over the batches of step, step + 1, …, prepared ahead in the background.

        A batch is sequences int32[B, w], users int32[B], triplets int32[kg_steps, n, 4].
        """
        shapes = ([None, None], [None], [None, None, 4])
        signature = tuple(tf.TensorSpec(shape, tf.int32) for shape in shapes)
        dataset = tf.data.Dataset.from_generator(lambda: self._generate(step), output_signature=signature)
        return iter(dataset.prefetch(PREFETCHED))

    def _generate(self, step):
        config = self._config
        while True:
            epoch, first = divmod(step, self.per_epoch)
            order = np.random.default_rng([config.seed, ORDER_STREAM, epoch])
            for chosen in batch_order(self._windows.lengths, config.batch_size, order)[first:]:
                users, starts, lengths = (column[chosen] for column in self._windows)
                yield padded(self._items, starts, lengths, self._padding), users, self._triplets(step)
                step += 1

    def _triplets(self, step):
        if self._sampler is None:
            return np.empty((0, 0, 4), np.int32)
        config = self._config
        generator = np.random.default_rng([config.seed, TRIPLET_STREAM, step])
        triplets = self._sampler.sample(generator, config.kg_steps * config.kg_batch_size)
        return triplets.reshape(config.kg_steps, config.kg_batch_size, 4)
