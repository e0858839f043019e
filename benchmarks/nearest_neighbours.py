"""The index of examples/nearest_neighbours.py beside the exact ranking: what it finds, and the time of a history.

  python -m benchmarks.nearest_neighbours --saved_model=models/beauty [--datasets_dir=datasets]

Histories are those of the model's data set, with the validation item. How the times grow is shown on catalogues made of
the model's items with noise. Needs the extra `index`.
"""

import faiss
import numpy as np
from absl import flags

from benchmarks.measure import report, seconds
from examples.nearest_neighbours import LINKS, LOOKED_AT, NearestNeighbours
from katrec.common import command_line
from katrec.data.dataset import load
from katrec.serving import Recommender

FLAGS = flags.FlagValues()
flags.DEFINE_string("saved_model", None, "An export of a model.", required=True, flag_values=FLAGS)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_integer("histories", 1000, "How many, evenly spread over the users.", 1, flag_values=FLAGS)
flags.DEFINE_list("catalogues", ["100000", "300000"], "Items of the larger catalogues.", flag_values=FLAGS)
TOP, NOISE = 10, 0.1


def histories_of(dataset, count):
    """Returns `count` of the test users' histories, lists of raw ids."""
    ids = np.array(dataset.raw_ids("item"))
    offsets, items = dataset.histories("test")
    users = np.unique(np.linspace(0, dataset.num_users - 1, count).astype(int))
    return [ids[items[offsets[user] : offsets[user + 1]]].tolist() for user in users]


def main():
    recommender = Recommender.load(FLAGS.saved_model, FLAGS.datasets_dir)
    histories = histories_of(load(FLAGS.datasets_dir, recommender.metadata["dataset"]), FLAGS.histories)
    nearest = NearestNeighbours(recommender.signatures)
    exact = recommender.recommend(histories, TOP)
    rows = []
    for looked_at in (64, LOOKED_AT):
        nearest.index.hnsw.efSearch = looked_at
        share = np.mean([_share(*pair) for pair in zip(nearest.recommend(histories, TOP), exact)])
        rows.append((f"share of the exact ten, {looked_at} looked at", f"{share:.4f}"))
    some = histories[:50]
    rows += [
        ("a history, exact", seconds(lambda: [recommender.recommend([one], TOP) for one in some], 3, len(some))),
        ("a history, with the index", seconds(lambda: [nearest.recommend([one], TOP) for one in some], 3, len(some))),
    ]
    queries = nearest.ask("encode", some)["vectors"]
    generator = np.random.default_rng(0)
    for count in map(int, FLAGS.catalogues):
        items = nearest.vectors[generator.integers(len(nearest.vectors), size=count)]
        items += generator.normal(size=items.shape).astype(np.float32) * NOISE * items.std(axis=0)
        rows += [
            (f"{count:,} items: the product and its best alone", seconds(_product(items, queries), 3, len(some))),
            (f"{count:,} items: the search alone", seconds(_search(items, queries), 3, len(some))),
        ]
    about = f"{recommender.metadata['model']} on {recommender.metadata['dataset']}, {len(nearest.items):,} items"
    columns = ("what", "share, or milliseconds: median (range)")
    report(f"nearest neighbours, {about}, {len(histories):,} histories", rows, columns)


def _product(items, queries):
    """Returns a function that finds the best items of each query by all products."""
    return lambda: [np.argpartition(items @ query, -TOP)[-TOP:] for query in queries]


def _search(items, queries):
    """Returns a function that searches for each query in an index of the items."""
    index = faiss.IndexHNSWFlat(items.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = LOOKED_AT
    index.add(items)
    return lambda: [index.search(query[None], 2 * TOP) for query in queries]


def _share(found, exact):
    return len({item for item, _ in found} & {item for item, _ in exact}) / len(exact)


if __name__ == "__main__":
    command_line.run(main, FLAGS)
