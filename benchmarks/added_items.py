"""Items that are added after the training beside the same items known from the start, and the seconds it takes.

  python -m benchmarks.added_items --dataset=grocery --cold_item_share=0.1 --flagfile=datasets/grocery/flags.txt \\
      --flagfile=datasets/grocery/katrec_next_item.txt --model=katrec_next_item --similar_items=50

The share of the items is held out twice: as cold items of the data set, and as items that are not in it at all and are
added to the export with their triplets. Both rank the cold test items for the same histories.
"""

import dataclasses
import os
import shutil
import time

import numpy as np
import pandas as pd
import tensorflow as tf
from absl import flags

from benchmarks.measure import report
from katrec import flags as settings_flags
from katrec.common import command_line
from katrec.common.command_line import FlagError
from katrec.data.cold_items import hold_out
from katrec.data.dataset import load
from katrec.evaluation.metrics import metrics
from katrec.runs import fit
from katrec.serving import Recommender
from katrec.serving.additions import add_items
from preprocess.pipeline import Prepared
from preprocess.writer import write

BATCH = 256
FLAGS = flags.FlagValues()
flags.DEFINE_string("dataset", "ml-100k", "A prepared data set.", flag_values=FLAGS)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_string("runs_dir", "runs/added", "Folder of both runs and their exports.", flag_values=FLAGS)
settings_flags.define(FLAGS)


def main():
    settings = settings_flags.read(FLAGS)
    if not settings.cold_item_share:
        raise FlagError("--cold_item_share: how many items are held out")
    whole = load(FLAGS.datasets_dir, FLAGS.dataset)
    held = hold_out(whole, settings.cold_item_share, settings.cold_seed)
    known = fit(whole, settings, os.path.join(FLAGS.runs_dir, "known"))
    later = trained_without(held, settings, FLAGS.runs_dir)
    paths = [os.path.join(FLAGS.runs_dir, name) for name in ("known-model", "later-model", "added-model")]
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
    known.export(paths[0])
    before = later.export(paths[1], extendable=True)
    triplets, links = cold_tables(held)
    started = time.perf_counter()
    added = add_items(paths[1], triplets, links, to=paths[2])
    seconds = time.perf_counter() - started
    rows = [
        ("known from the start", *_reached(Recommender.load(paths[0]), held)),
        ("added after the training", *_reached(added, held)),
        (f"adding {len(held.cold):,} items: {seconds:.1f} s", "", "", "", ""),
        (f"largest difference of an earlier item's score: {_difference(before, added, held)}", "", "", "", ""),
    ]
    columns = (
        "cold items",
        *(f"{name}, among {what}" for what in ("the cold", "all") for name in ("NDCG@10", "Hit@10")),
    )
    report(f"{settings.model} on {FLAGS.dataset}, seed {settings.seed}", rows, columns)


def trained_without(dataset, settings, runs_dir):
    """Returns the run in `runs_dir`/later of the data set without its cold items."""
    reduced = f"{dataset.name}-without"
    folder = os.path.join(runs_dir, "datasets")
    write(_without(dataset), os.path.join(folder, reduced), reduced, {})
    changed = dataclasses.replace(settings, cold_item_share=0.0)
    return fit(reduced, changed, os.path.join(runs_dir, "later"), folder)


def cold_tables(dataset):
    """Returns the cold items' triplets and links."""
    entities, relations = np.array(dataset.raw_ids("entity"), object), dataset.raw_ids("relation")
    cold = np.concatenate([dataset.is_cold, np.zeros(dataset.num_entities - dataset.num_items, bool)])
    heads, names, tails = dataset.triplets[(cold[dataset.triplets[:, [0, 2]]]).any(axis=1)].T
    triplets = {"head_id": entities[heads], "relation_id": np.array(relations)[names], "tail_id": entities[tails]}
    items = np.array(dataset.raw_ids("item"), object)[dataset.cold]
    return pd.DataFrame(triplets), pd.DataFrame({"item_id": items, "entity_id": entities[dataset.cold]})


def _without(dataset):
    """Returns the data set without its cold items as `Prepared`."""
    warm = ~dataset.is_cold
    nodes = np.concatenate([warm, np.ones(dataset.num_entities - dataset.num_items, bool)])
    numbers = np.cumsum(nodes) - 1
    heads, relations, tails = dataset.triplets.T
    inside = nodes[heads] & nodes[tails]
    triplets = np.stack([numbers[heads], relations, numbers[tails]], axis=1)[inside].astype(np.int32)
    items, users, entities, names = (dataset.raw_ids(what) for what in ("item", "user", "entity", "relation"))
    kept = np.array(items, object)[warm]
    # A cold test item is not in the data set: its user is not tested.
    tested = (dataset.test >= 0) & warm[dataset.test]
    return Prepared(
        dataset.offsets,
        numbers[dataset.items].astype(np.int32),
        np.where(dataset.valid >= 0, numbers[dataset.valid], -1).astype(np.int32),
        np.where(tested, numbers[dataset.test], -1).astype(np.int32),
        triplets,
        kept,
        np.array(users, object),
        np.array(entities, object)[nodes],
        np.array(names, object),
        np.full(len(kept), "", object),
        np.zeros(0, np.int32),
        [],
        [],
    )


def _histories(dataset, users):
    offsets, numbers = dataset.histories("test")
    items = dataset.raw_ids("item")
    return [[items[item] for item in numbers[offsets[user] : offsets[user + 1]]] for user in users]


def _reached(recommender, dataset):
    """Returns NDCG@10 and Hit@10 of the cold test items among the cold ones and among all."""
    users = np.flatnonzero((dataset.test >= 0) & dataset.is_cold[dataset.test])
    items = dataset.raw_ids("item")
    cold = [items[item] for item in dataset.cold if recommender.knows(items[item])]
    users = np.array([user for user in users if recommender.knows(items[dataset.test[user]])])
    among, full = [], []
    for batch in np.array_split(users, -(-len(users) // BATCH)):
        history = tf.ragged.constant(_histories(dataset, batch), tf.string).to_tensor("")
        targets = [items[dataset.test[user]] for user in batch]
        candidates = tf.constant([[target, *cold] for target in targets])
        scores = recommender.signatures["recommend_from"](history=history, candidates=candidates)["scores"].numpy()
        # The target stands among the cold ones once more: it is not below itself.
        among.extend((scores[:, 1:] >= scores[:, :1]).sum(axis=1))
        full.extend(recommender.signatures["rank"](history=history, item=tf.constant(targets))["rank"].numpy())
    values = [metrics(ranks)[name] for ranks in (among, full) for name in ("NDCG@10", "Hit@10")]
    return [f"{value:.4f}" for value in values]


def _difference(before, after, dataset):
    """Returns the largest difference of an earlier item's score over a thousand users' histories."""
    users = np.flatnonzero(dataset.test >= 0)
    users = users[np.unique(np.linspace(0, len(users) - 1, 1000).astype(int))]
    largest = 0.0
    for batch in np.array_split(users, -(-len(users) // BATCH)):
        history = tf.ragged.constant(_histories(dataset, batch), tf.string).to_tensor("")
        candidates = tf.tile(tf.constant([before.items]), [len(batch), 1])
        scores = [
            one.signatures["recommend_from"](history=history, candidates=candidates)["scores"].numpy()
            for one in (before, after)
        ]
        largest = max(largest, float(np.abs(scores[0] - scores[1]).max()))
    return largest


if __name__ == "__main__":
    command_line.run(main, FLAGS)
