"""BERT4Rec (Sun et al. 2019), KATRec's sequential module without the knowledge graph."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from katrec.data.dataset import Dataset
from katrec.layers import embedding_initializer
from katrec.models.base import ItemTables
from katrec.models.transformer_model import TransformerModel
from katrec.settings import Settings


class BERT4Rec(TransformerModel):
    """Bidirectional transformer over a learned item table, which also scores (Sun et al. 2019, Sections 3.3 to 3.5).

        P(I) = softmax(GELU(v W_P + b_P) Eᵀ + b_O)

    Args:
      settings: as in `TransformerModel`, and hidden_dim.
      dataset: as in `RankingModel`.
      policy: as in `TransformerModel`.
    """

    def __init__(self, settings: Settings, dataset: Dataset, policy: Any = "float32", **kwargs: Any) -> None:
        super().__init__(settings, dataset, settings.hidden_dim, policy, **kwargs)
        self.items = self.add_weight(
            name="items", shape=(dataset.num_items, settings.hidden_dim), initializer=embedding_initializer()
        )

    def keyed_variables(self) -> list[tuple[tf.Variable, int, str]]:
        return [*super().keyed_variables(), (self.items, 0, "item")]

    def item_tables(self, seed: Optional[tf.Tensor] = None, graph: Any = None) -> ItemTables:
        return ItemTables(inputs=tf.concat([self.items, self.special_tokens], axis=0), outputs=self.items)
