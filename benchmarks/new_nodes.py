"""How e⁽⁰⁾ of items that came after the training is best found: the closed form, steps of TransR, or not at all.

  python -m benchmarks.new_nodes --dataset=grocery --cold_item_share=0.1 --flagfile=datasets/grocery/flags.txt \\
      --flagfile=datasets/grocery/katrec_next_item.txt --model=katrec_next_item

The model is trained without a share of the items, as in `benchmarks.added_items`, and these are then added. They are
ranked among themselves for the users whose validation item is one of them: by their graph embeddings alone, and as the
project ranks them, by their stand-ins.
"""

import dataclasses

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks.added_items import cold_tables, trained_without
from benchmarks.measure import elapsed, report
from katrec import flags as settings_flags
from katrec.common import command_line
from katrec.common.command_line import FlagError
from katrec.data.cold_items import hold_out, with_cold_validation
from katrec.data.collaborative_graph import CollaborativeGraph
from katrec.data.dataset import load
from katrec.data.growth import NewItems, grow
from katrec.evaluation.metrics import metrics
from katrec.evaluation.ranking import Evaluator
from katrec.layers.tracing import traced
from katrec.models import new_nodes
from katrec.models.build import build
from katrec.models.transfer import transfer
from katrec.training.batches import triplet_batches
from katrec.training.optimizers import WarmupLinearDecay, adam

PRIORS = (1.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
RATES = (1e-3, 1e-2)
TRIPLETS, SEED = 2048, 1
# What no edge moves: the mean of the known nodes of its kind.
NO_EDGES = 1e12
FLAGS = flags.FlagValues()
flags.DEFINE_string("dataset", "ml-100k", "A prepared data set.", flag_values=FLAGS)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_string("runs_dir", "runs/added", "Folder of the run, as of benchmarks.added_items.", flag_values=FLAGS)
flags.DEFINE_list("steps", ["100", "300", "1000"], "Steps of TransR; each is tried.", flag_values=FLAGS)
settings_flags.define(FLAGS)


def main():
    settings = settings_flags.read(FLAGS)
    if not settings.cold_item_share:
        raise FlagError("--cold_item_share: how many items are held out")
    steps = settings_flags.integers("steps", FLAGS.steps, 1)
    chosen = settings.cold_item_share, settings.cold_seed
    whole = load(FLAGS.datasets_dir, FLAGS.dataset)
    held = hold_out(whole, *chosen)
    run = trained_without(held, settings, FLAGS.runs_dir)
    triplets, links = cold_tables(held)
    new = NewItems(list(triplets.itertuples(index=False, name=None)), dict(links.itertuples(index=False, name=None)))
    grown = _with_validation(grow(run.dataset, new).dataset, with_cold_validation(whole, *chosen))
    settings = dataclasses.replace(run.settings, mixed_precision=False)
    model = build(settings, grown)
    transfer(run.best_model(settings), run.dataset, model, grown)
    fit = _Fit(model, grown)
    ways = {"the mean of its kind": (fit.closed_form, NO_EDGES)}
    ways |= {f"closed form, prior {prior:g}": (fit.closed_form, prior) for prior in PRIORS}
    ways |= {f"{count:,} steps of TransR, rate {rate:g}": (fit.steps, count, rate) for rate in RATES for count in steps}
    rows = []
    for title, (function, *arguments) in ways.items():
        seconds = elapsed(function, *arguments)
        rows.append((title, *fit.reached(), f"{seconds:.1f}"))
    columns = "e⁽⁰⁾ of a new item", *(f"NDCG@10, {what}" for what in ("graph embeddings", "stand-ins")), "seconds"
    report(f"{settings.model} on {FLAGS.dataset}, seed {settings.seed}, {len(grown.cold):,} new items", rows, columns)


def _with_validation(grown, tuned):
    """Returns the grown data set with the cold validation items of `with_cold_validation`, in its own numbers."""
    numbers = {item: number for number, item in enumerate(grown.raw_ids("item"))}
    items = tuned.raw_ids("item")
    valid = [numbers.get(items[item], -1) if item >= 0 else -1 for item in tuned.valid]
    return grown._replace(valid=np.array(valid, np.int32))


class _Fit:
    """Ways to find e⁽⁰⁾ of a grown model's new items, each from the beginning."""

    def __init__(self, model, dataset):
        self._model, self._dataset = model, dataset
        self._nodes = model.encoder.nodes
        self._known = self._nodes.numpy()
        self._is_new = np.isin(np.arange(len(self._known)), dataset.cold)
        graph = model.graph
        own = self._is_new[graph.heads]
        edges = graph.heads[own], graph.relations[own], graph.tails[own]
        self._own_edges = CollaborativeGraph(*edges, graph.num_nodes, graph.num_relations)
        self._stand_ins = model.stand_ins

    def closed_form(self, prior):
        transr = self._model.encoder.transr
        kinds = np.searchsorted([self._model.num_items, self._model.num_entities], np.arange(len(self._known)), "right")
        matrices = transr.projection.numpy(), transr.relation.numpy()
        found = new_nodes.fitted(self._known, *matrices, self._model.graph, self._is_new, kinds, prior)
        self._nodes.assign(found)

    def steps(self, count, rate):
        """Adam's steps on the loss of the new nodes' own triplets; nothing else moves."""
        self.closed_form(NO_EDGES)
        optimizer = adam(WarmupLinearDecay(rate, 0, count))
        batches = triplet_batches(self._own_edges, TRIPLETS, [SEED], 0)
        is_new = tf.constant(self._is_new[:, None], tf.float32)

        @traced
        def step(triplets):
            with tf.GradientTape() as tape:
                loss, _ = self._model.triplet_loss(triplets)
            gradient = tf.convert_to_tensor(tape.gradient(loss, self._nodes))
            optimizer.apply_gradients([(gradient * is_new, self._nodes)])

        for _ in range(count):
            step(*next(batches))

    def reached(self):
        """Returns NDCG@10 among the new items by their graph embeddings, and by their stand-ins."""
        self._model.refresh_attention()
        values = []
        for stand_ins in (None, self._stand_ins):
            self._model.stand_ins = stand_ins
            ranks = Evaluator(self._model, self._dataset, "valid", 1).cold_ranks()
            values.append(f"{metrics(ranks)['NDCG@10']:.4f}")
        return values


if __name__ == "__main__":
    command_line.run(main, FLAGS)
