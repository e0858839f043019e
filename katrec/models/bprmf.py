"""BPR-MF (Rendle et al. 2012), which also gives KATRec its pre-trained embeddings."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from katrec.data.dataset import Dataset
from katrec.layers import embedding_initializer
from katrec.layers.ranking_losses import bpr
from katrec.models.base import Batch, Context, ItemTables, RankingModel
from katrec.settings import Settings


class BPRMF(RankingModel):
    """Matrix factorization trained by Bayesian personalized ranking (Rendle et al. 2012, Sections 4.1 and 4.3.1).

        r_{u,i} = p_u · q_i + b_i,   −ln σ(r_{u,i} − r_{u,j}) + λ(‖p_u‖² + ‖q_i‖² + ‖q_j‖²)

    for each training interaction (u, i) and an item j outside u's history. The order of a history is not used.

    Args:
      settings: read are hidden_dim, the size of p and q, and bpr_l2, λ.
      dataset: as in `RankingModel`, and its number of users.
      policy: not used: all products are float32.
    """

    uses_negatives = True

    def __init__(self, settings: Settings, dataset: Dataset, policy: Any = "float32", **kwargs: Any) -> None:
        super().__init__(dataset, history_length=0, **kwargs)
        self.l2 = settings.bpr_l2
        self.users, self.items = (
            self.add_weight(name=name, shape=(size, settings.hidden_dim), initializer=embedding_initializer())
            for name, size in (("users", dataset.num_users), ("items", dataset.num_items))
        )
        self.bias = self.add_weight(name="bias", shape=(dataset.num_items,), initializer="zeros")

    @property
    def inference_layers(self) -> list:
        return []

    @property
    def item_bias(self) -> tf.Tensor:
        return self.bias

    def keyed_variables(self) -> list[tuple[tf.Variable, int, str]]:
        return [(self.users, 0, "user"), (self.items, 0, "item"), (self.bias, 0, "item")]

    def item_tables(self, seed: Optional[tf.Tensor] = None, graph: Any = None) -> ItemTables:
        users, items = tf.convert_to_tensor(self.users), tf.convert_to_tensor(self.items)
        return ItemTables(inputs=None, outputs=items, users=users)

    def next_item_vectors(self, histories: tf.Tensor, users: tf.Tensor, tables: ItemTables) -> tf.Tensor:
        return tf.gather(tables.users, users)

    def loss(self, batch: Batch, context: Context) -> tf.Tensor:
        """The mean loss of interactions; sequences and negatives are int32[B, 1]. See `RankingModel`."""
        chosen = tf.concat([batch.sequences[context.rows], batch.negatives[context.rows]], axis=1)
        user, items = tf.gather(self.users, batch.users[context.rows]), tf.gather(self.items, chosen)
        scores = tf.einsum("nd,ncd->nc", user, items) + tf.gather(self.bias, chosen)
        size = 2 * (tf.nn.l2_loss(user) + tf.nn.l2_loss(items))
        loss = tf.reduce_sum(bpr(scores[:, 0], scores[:, 1])) + self.l2 * size
        return loss / tf.cast(tf.shape(batch.sequences)[0], tf.float32)
