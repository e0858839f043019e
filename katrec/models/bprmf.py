"""BPR-MF (Rendle et al. 2012), which also gives KATRec its pre-trained embeddings."""

import tensorflow as tf

from katrec.layers import embedding_initializer
from katrec.layers.ranking_losses import bpr
from katrec.models.recommender import ItemTables, Recommender, replica_rows


class BPRMF(Recommender):
    """Matrix factorization trained by Bayesian personalized ranking (Rendle et al. 2012, Sections 4.1 and 4.3.1).

        r_{u,i} = p_u · q_i + b_i,   −ln σ(r_{u,i} − r_{u,j}) + λ(‖p_u‖² + ‖q_i‖² + ‖q_j‖²)

    for each training interaction (u, i) and an item j outside u's history. The order of a history is not used.

    Args:
      num_items, num_users: sizes.
      dim: of the vectors p and q.
      l2: λ.
    """

    uses_negatives = True

    def __init__(self, num_items, num_users, dim, l2, **kwargs):
        super().__init__(num_items, history_length=0, **kwargs)
        self.l2 = l2
        self.users, self.items = (
            self.add_weight(name=name, shape=(size, dim), initializer=embedding_initializer())
            for name, size in (("users", num_users), ("items", num_items))
        )
        self.bias = self.add_weight(name="bias", shape=(num_items,), initializer="zeros")

    @property
    def inference_layers(self):
        return []

    @property
    def item_bias(self):
        return self.bias

    def item_tables(self, seed=None, matrices=None):
        users, items = tf.convert_to_tensor(self.users), tf.convert_to_tensor(self.items)
        return ItemTables(inputs=None, outputs=items, users=users)

    def next_item_vectors(self, histories, users, tables):
        return tf.gather(tables.users, users)

    def sequence_loss(self, sequences, users, negatives, seed, matrices=None, replica=0, num_replicas=1):
        """The mean loss of interactions; `sequences` and `negatives` are int32[B, 1]. See `Recommender`."""
        batch = tf.shape(sequences)[0]
        own = replica_rows(batch, replica, num_replicas)
        chosen = tf.concat([sequences[own], negatives[own]], axis=1)
        user, items = tf.gather(self.users, users[own]), tf.gather(self.items, chosen)
        scores = tf.einsum("nd,ncd->nc", user, items) + tf.gather(self.bias, chosen)
        size = 2 * (tf.nn.l2_loss(user) + tf.nn.l2_loss(items))
        return (tf.reduce_sum(bpr(scores[:, 0], scores[:, 1])) + self.l2 * size) / tf.cast(batch, tf.float32)
