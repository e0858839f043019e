"""BERT4Rec (Sun et al. 2019), KATRec's sequential module without the knowledge graph."""

import tensorflow as tf

from katrec.layers import embedding_initializer
from katrec.models.cloze_recommender import ClozeRecommender
from katrec.models.recommender import ItemTables


class BERT4Rec(ClozeRecommender):
    """Bidirectional transformer over a learned item table, which also scores (Sun et al. 2019, Sections 3.3 to 3.5).

        P(I) = softmax(GELU(v W_P + b_P) Eᵀ + b_O)

    Args:
      num_items: |I|.
      config: the run's settings as in `ClozeRecommender`, and hidden_dim.
      policy: as in `ClozeRecommender`.
    """

    def __init__(self, num_items, config, policy="float32", **kwargs):
        super().__init__(num_items, config.hidden_dim, config, policy, **kwargs)
        self.items = self.add_weight(
            name="items", shape=(num_items, config.hidden_dim), initializer=embedding_initializer()
        )

    def item_tables(self, seed=None, matrices=None):
        return ItemTables(inputs=tf.concat([self.items, self.special_tokens], axis=0), outputs=self.items)
