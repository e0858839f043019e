"""Recommends with an approximate-nearest-neighbour index instead of a product with all items.

  pip install ".[index]"
  python examples/nearest_neighbours.py SAVED_MODEL ITEM ITEM …  (oldest first)

It pays from about a hundred thousand items on. The index finds the items with the largest inner products; what a
model's neighbour scores add is fetched for the few items that have any, and the two are put together exactly. A history
without a known item has the popularity ranking, which needs no index.
"""

import sys

import faiss
import numpy as np
import tensorflow as tf

# Links of an item in the index, and how many items a search looks at: more finds more and takes longer.
LINKS, LOOKED_AT = 32, 256


class NearestNeighbours:
    """An index over the items of an exported model.

    Args:
      signatures: of the SavedModel.
    """

    def __init__(self, signatures):
        self.signatures = signatures
        table = signatures["item_table"]()
        self.items = np.array([item.decode() for item in table["items"].numpy()])
        self.rows = {item: row for row, item in enumerate(self.items)}
        self.vectors = table["vectors"].numpy()
        self.index = faiss.IndexHNSWFlat(self.vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efSearch = LOOKED_AT
        self.index.add(self.vectors)
        self.popular = np.argsort(-self.vectors[:, -1], kind="stable")

    def ask(self, signature, histories):
        """Returns a signature's outputs for histories, lists of item ids."""
        width = max(1, *map(len, histories))
        inputs = {"history": tf.constant([[*history, *[""] * (width - len(history))] for history in histories])}
        if "user" in self.signatures[signature].structured_input_signature[1]:
            # The model knows its users; "" stands for one that it has not seen.
            inputs["user"] = tf.constant([""] * len(histories))
        return {name: value.numpy() for name, value in self.signatures[signature](**inputs).items()}

    def recommend(self, histories, k=10):
        """Returns for each history, a list of item ids, the k best pairs (item, score) of what it does not have."""
        vectors = self.ask("encode", histories)["vectors"]
        # Items of the history are found as well, and left out after that.
        count = min(k + max(map(len, histories)), len(self.items))
        found = np.where(vectors[:, -1:] != 0, self.popular[:count], self.index.search(vectors, count)[1])
        added = self.ask("neighbours", histories) if "neighbours" in self.signatures else None
        answers = []
        for number, history in enumerate(histories):
            candidates = set(found[number].tolist()) - {-1}
            extra = {}
            if added is not None:
                pairs = zip(added["items"][number], added["scores"][number].tolist())
                extra = {self.rows[item.decode()]: score for item, score in pairs if item}
            rows = sorted((candidates | extra.keys()) - {self.rows.get(item, -1) for item in history})
            scores = self.vectors[rows] @ vectors[number] + [extra.get(row, 0.0) for row in rows]
            best = np.argsort(-scores, kind="stable")[:k]
            answers.append([(str(self.items[rows[at]]), float(scores[at])) for at in best])
        return answers


if __name__ == "__main__":
    path, *history = sys.argv[1:]
    for item, score in NearestNeighbours(tf.saved_model.load(path).signatures).recommend([history])[0]:
        print(f"{item}\t{score:.4f}")
