"""The index of examples/nearest_neighbours.py beside the exact ranking: what it finds, and the time of a history.

  python -m benchmarks.nearest_neighbours --saved_model=models/beauty [--datasets_dir=datasets]

Histories are those of the model's data set, with the validation item. Needs the extra `index`.
"""

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks.measure import report, seconds
from examples.nearest_neighbours import NearestNeighbours
from katrec.common import command_line
from katrec.data.dataset import load
from katrec.serving import Recommender

FLAGS = flags.FlagValues()
flags.DEFINE_string("saved_model", None, "An export of a model.", required=True, flag_values=FLAGS)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_integer("histories", 1000, "How many, evenly spread over the users.", 1, flag_values=FLAGS)
TOP = 10


def histories_of(dataset, count):
    """Returns `count` of the test users' histories, lists of raw ids."""
    ids = np.array(dataset.raw_ids("item"))
    offsets, items = dataset.histories("test")
    users = np.unique(np.linspace(0, dataset.num_users - 1, count).astype(int))
    return [ids[items[offsets[user] : offsets[user + 1]]].tolist() for user in users]


def main():
    recommender = Recommender.load(FLAGS.saved_model, FLAGS.datasets_dir)
    histories = histories_of(load(FLAGS.datasets_dir, recommender.metadata["dataset"]), FLAGS.histories)
    index = NearestNeighbours(recommender.signatures)
    exact = recommender.recommend(histories, TOP)
    shares = {
        looked_at: np.mean([_share(*pair) for pair in zip(_recommended(index, looked_at, histories), exact)])
        for looked_at in (64, 256)
    }
    one = seconds(lambda: [recommender.recommend([history], TOP) for history in histories[:50]], 3, 50)
    indexed = seconds(lambda: [index.recommend([history], TOP) for history in histories[:50]], 3, 50)
    vectors = tf.random.stateless_normal([1, index.vectors.shape[1]], [1, 2]).numpy()
    search = seconds(lambda: index.index.search(vectors, 2 * TOP), 20)
    product = seconds(lambda: np.argpartition(-(index.vectors @ vectors[0]), TOP), 20)
    rows = [
        *(
            (f"share of the exact ten, {looked_at} looked at", f"{share:.4f}", "")
            for looked_at, share in shares.items()
        ),
        ("a history, exact", one),
        ("a history, with the index", indexed),
        ("the search in the index alone", search),
        ("the product with all items and its best alone", product),
    ]
    about = f"{recommender.metadata['model']} on {recommender.metadata['dataset']}, {len(index.items):,} items"
    report(
        f"nearest neighbours, {about}, {len(histories):,} histories",
        rows,
        ("what", "share, or milliseconds: median (range)"),
    )


def _recommended(index, looked_at, histories):
    index.index.hnsw.efSearch = looked_at
    return index.recommend(histories, TOP)


def _share(found, exact):
    return len({item for item, _ in found} & {item for item, _ in exact}) / len(exact)


if __name__ == "__main__":
    command_line.run(main, FLAGS)
