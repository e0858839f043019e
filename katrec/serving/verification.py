"""Does a SavedModel score as the model that it was made of?"""

import numpy as np
import tensorflow as tf

from katrec.data.sequences import recent_items

USERS, BATCH_USERS = 1000, 100


def largest_difference(path, model, dataset, item_ids, user_ids):
    """Compares every item's score for the test users' histories, by the SavedModel and by the model itself.

    Args:
      path: the SavedModel's folder.
      model: `Recommender`.
      dataset: `Dataset`.
      item_ids, user_ids: raw ids in the order of their numbers.

    Returns:
      The largest difference of two scores, and of how many users: of all, of more than 1,000 that many evenly spread.
    """
    signatures = tf.saved_model.load(path).signatures
    items, names = (np.asarray(ids, dtype=object) for ids in (item_ids, user_ids))
    table = signatures["item_table"]()["vectors"]
    score = tf.function(model.call)
    offsets, numbers = dataset.histories("test")
    # An empty history has the popularity ranking, not the model's.
    users = np.flatnonzero((dataset.test >= 0) & (np.diff(offsets) > 0))
    users = users[np.unique(np.linspace(0, len(users) - 1, USERS).astype(int))]
    largest = 0.0
    for some in np.array_split(users, -(-len(users) // BATCH_USERS)):
        histories = [items[numbers[offsets[user] : offsets[user + 1]]].tolist() for user in some]
        inputs = {"history": tf.ragged.constant(histories, tf.string).to_tensor("")}
        if "user" in signatures["encode"].structured_input_signature[1]:
            inputs["user"] = tf.constant(names[some].tolist())
        given = tf.matmul(signatures["encode"](**inputs)["vectors"], table, transpose_b=True)
        read = recent_items(offsets, numbers, some, model.history_length, model.tokens.padding)
        expected = score((tf.constant(read), tf.constant(some, tf.int32)))
        largest = max(largest, float(tf.reduce_max(tf.abs(given - expected))))
    return largest, len(users)
