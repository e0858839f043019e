"""KATRec (Section 3): a bidirectional transformer over a knowledge graph's item embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from katrec.data import collaborative_graph, item_attributes, item_edges, stand_ins
from katrec.data.collaborative_graph import CollaborativeGraph
from katrec.data.dataset import Dataset
from katrec.layers import (
    ItemCooccurrence,
    ItemTable,
    KnowledgeGraphEncoder,
    NeighbourScores,
    embedding_initializer,
)
from katrec.layers.neighbour_scores import ItemEdges
from katrec.layers.seeds import fold
from katrec.layers.sparse_products import FixedMatrix
from katrec.layers.transr import pairwise_loss
from katrec.models import new_nodes
from katrec.models.base import ItemTables
from katrec.models.transformer_model import TransformerModel
from katrec.settings import Settings


class KATRec(TransformerModel):
    """Knowledge Aware aTtentive sequential Recommendations (Section 3).

    Args:
      settings: as in `TransformerModel`, and entity_dim, relation_dim, propagation_dims, message_dropout, l2_normalize,
        attention, transformer_inputs, item_table, item_table_dropout, attribute_vectors, entity_loss, fusion,
        fusion_activation, neighbour_scores, neighbour_gaps, transition_reach, similar_items, user_modeling, kg_l2.
      dataset: its collaborative graph is built; sizes are read.
      policy: as in `TransformerModel`.

    Attributes:
      encoder: the `KnowledgeGraphEncoder`, with the `TransR` scorer.
      own_table: the `ItemTable` of the sequential module where its item embeddings are not the graph's, else None.
      graph_projection: W, what E* is multiplied with before it is added to `own_table`, float[q, q], or None.
      stand_ins: the matrix that gives cold items the mean of those most like them, or None without cold items.
      edges: those of `neighbours` at prediction, where cold items have edges, too.
    """

    describes_cold_items = True

    def __init__(self, settings: Settings, dataset: Dataset, policy: Any = "float32", **kwargs: Any) -> None:
        super().__init__(settings, dataset, settings.node_dim, policy, **kwargs)
        self.num_entities = dataset.num_entities
        self.kg_l2 = settings.kg_l2
        self.entity_loss = settings.entity_loss
        self.user_modeling = settings.user_modeling
        self.similar_items = settings.similar_items
        self.encoder = KnowledgeGraphEncoder(
            *collaborative_graph.build(dataset),
            entity_dim=settings.entity_dim,
            relation_dim=settings.relation_dim,
            propagation_dims=settings.propagation_dims,
            message_dropout=settings.message_dropout,
            l2_normalize=settings.l2_normalize,
            attention=settings.attention,
            num_outputs=None if settings.user_modeling else dataset.num_items,
            name="encoder",
        )
        self.reads_graph = settings.transformer_inputs == "graph"
        self.own_table = None
        if not self.reads_graph or settings.item_table in ("own", "sum"):
            pairs = item_attributes.build(self.graph, dataset)._asdict() if settings.attribute_vectors else {}
            self.own_table = ItemTable(
                dataset.num_items,
                settings.node_dim,
                settings.item_table_dropout,
                predicts_entities=settings.entity_loss > 0,
                cold=dataset.cold,
                name="items",
                **pairs,
            )
        self.graph_projection = None
        if settings.item_table == "sum":
            self.graph_projection = self.add_weight(
                name="W", shape=(settings.node_dim, settings.node_dim), initializer=embedding_initializer()
            )
        found = stand_ins.build(dataset) if len(dataset.cold) else None
        self.stand_ins = None
        if found:
            self.stand_ins = FixedMatrix(*found, (dataset.num_items, dataset.num_items))
            self._has_stand_ins = np.isin(np.arange(dataset.num_items), found.items)
        if settings.neighbour_scores:
            edges = item_edges.build(self.graph, dataset, settings.transition_reach, settings.similar_items)
            if len(edges.tails):
                self.neighbours = self._neighbour_scores(edges, dataset, settings, found)
        self.fusion = ItemCooccurrence(settings.fusion_activation, dtype=policy) if settings.fusion else None

    def _neighbour_scores(self, edges, dataset, settings, found):
        """Makes the layer, and the edges of prediction: cold items are no answers in training."""
        trained = item_edges.within(edges, ~dataset.is_cold)
        layer = NeighbourScores(*trained, settings.neighbour_gaps, settings.transition_reach, name="neighbours")
        self.edges = layer.edges
        if found:
            names = item_edges.names(
                self.graph,
                dataset,
                range(self.encoder.num_relations),
                settings.transition_reach,
                settings.similar_items,
            )
            is_transition = np.array([isinstance(one, tuple) for one in names])
            joined = stand_ins.with_transitions(edges, found, is_transition)
            self.edges = ItemEdges(*map(tf.constant, joined))
        return layer

    @property
    def graph(self) -> CollaborativeGraph:
        heads, relations, tails = self.encoder.edges
        return CollaborativeGraph(heads, relations, tails, self.encoder.num_nodes, self.encoder.num_relations)

    @property
    def attention_weights(self) -> tf.Variable:
        """π′ of the collaborative graph's edges, in their order, float[E]."""
        return self.encoder.attention_weights

    def refresh_attention(self) -> None:
        """Computes π′ of every edge from the current embeddings, without gradient."""
        self.encoder.refresh()

    def graph_matrices(self) -> Any:
        """Returns π′ of each propagation layer as a sparse matrix; None where the attention is differentiable."""
        return self.encoder.attention_matrices()

    def keyed_variables(self) -> list[tuple[tf.Variable, int, str]]:
        transr, table, neighbours = self.encoder.transr, self.own_table, self.neighbours
        keyed = [(self.encoder.nodes, 0, "node"), (transr.projection, 0, "relation"), (transr.relation, 0, "relation")]
        if table:
            keyed.append((table.rows, 0, "item"))
            keyed += [(one, 0, "attribute") for one in (table.vectors, table.bias) if one is not None]
        if neighbours:
            keyed += [(neighbours.gap_weights, 0, "edge"), (neighbours.gates, 1, "edge")]
        return [*super().keyed_variables(), *keyed]

    def start_new_rows(self, is_new: Mapping[str, np.ndarray]) -> None:
        """New nodes are fitted to their edges (`new_nodes`), new items have the mean bias and no row of their own."""
        encoder = self.encoder
        kinds = np.searchsorted([self.num_items, self.num_entities], np.arange(encoder.num_nodes), side="right")
        encoder.nodes.assign(
            new_nodes.fitted(
                encoder.nodes.numpy(),
                encoder.transr.projection.numpy(),
                encoder.transr.relation.numpy(),
                self.graph,
                is_new["node"],
                kinds,
            )
        )
        items, bias = is_new["item"], self.head.bias
        bias.assign(tf.where(items, tf.reduce_mean(tf.boolean_mask(bias, ~items)), bias))
        if self.own_table:
            self.own_table.rows.assign(tf.where(items[:, None], 0.0, self.own_table.rows))
        self.refresh_attention()

    def item_tables(self, seed: Optional[tf.Tensor] = None, graph: Any = None) -> ItemTables:
        """E* is what the transformer reads; Ê, or V* without the fusion, is what scores (Section 3.3.3).

        V* is the table that the transformer reads, or with `item_table` "own" one of its own. With "sum", which is not
        the paper's, it is V* = V + E*W, and the transformer reads it. See `RankingModel`.
        """
        nodes = self.encoder(fold(seed, 0), matrices=graph)
        graph_items = nodes[: self.num_items]
        sequential_items = self.own_table(fold(seed, 1)) if self.own_table else graph_items
        inputs = graph_items if self.reads_graph else sequential_items
        if self.graph_projection is not None:
            sequential_items += graph_items @ self.graph_projection
            inputs = sequential_items if self.reads_graph else inputs
        outputs = sequential_items
        if self.fusion:
            outputs = self.fusion((sequential_items, graph_items) if self.own_table else graph_items)
        return ItemTables(
            inputs=tf.concat([inputs, self.special_tokens], axis=0),
            outputs=outputs,
            users=nodes[self.num_entities :] if self.user_modeling else None,
            edges=self.edges if self.neighbours else None,
        )

    def inference_tables(self) -> ItemTables:
        """A cold item is read as its stand-ins (`katrec.data.stand_ins`) and has their bias, each their weighted mean.

        It scores with half that of their vectors and half the mean vector of all items that are not cold. A cold item
        without stand-ins has what `RankingModel` says: of the vectors the graph's part, and the mean bias.
        """
        tables = super().inference_tables()
        if self.stand_ins is None:
            return tables
        inputs = tables.inputs[: self.num_items]  # type: ignore[index]
        special = tables.inputs[self.num_items :]  # type: ignore[index]
        mean = tf.reduce_mean(tf.boolean_mask(tables.outputs, ~self.is_cold), axis=0)
        return tables._replace(
            outputs=self._with_stand_ins(tables.outputs, mean),
            bias=self._with_stand_ins(tables.bias[:, None])[:, 0],
            inputs=tf.concat([self._with_stand_ins(inputs), special], axis=0),
        )

    def _with_stand_ins(self, rows, mean=None):
        of_others = tf.cast(self.stand_ins.times(tf.cast(rows, tf.float32)), rows.dtype)
        if mean is not None:
            of_others = stand_ins.SHARE * of_others + (1 - stand_ins.SHARE) * mean
        return tf.where(self._has_stand_ins[:, None], of_others, rows)

    def auxiliary_loss(self, vectors: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """λ times the `ItemTable`'s entity loss. See `TransformerModel`."""
        if self.own_table is None or not self.entity_loss:
            return tf.constant(0.0)
        return self.entity_loss * self.own_table.entity_loss(vectors, labels, weights)

    def triplet_loss(
        self, triplets: tf.Tensor, batch_size: Optional[tf.Tensor] = None, entities_only: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The TransR loss (Eq. 1): mean of −ln σ(s(h,r,t′) − s(h,r,t)) + λ‖Θ‖², Θ the embeddings in the batch.

        Args:
          triplets: int32[n, 4], columns h, r, t, t′.
          batch_size: of the whole batch, where `triplets` is a part of one: the sums are divided by it instead of n.
          entities_only: items, but for cold ones, and users get no gradient (pre-training).

        Returns:
          The loss, and the ranking part of it alone; both scalars.
        """
        batch_size = tf.cast(tf.shape(triplets)[0] if batch_size is None else batch_size, tf.float32)
        relation = triplets[:, 1]
        places = tf.gather(triplets, [0, 2, 3], axis=1)
        nodes = tf.gather(self.encoder.nodes, places)
        if entities_only:
            free = np.zeros(self.encoder.num_nodes, bool)
            free[: self.num_entities] = True
            free[: self.num_items] = self.is_cold
            nodes = tf.where(tf.gather(free, places)[..., None], nodes, tf.stop_gradient(nodes))
        transr = self.encoder.transr
        # Split, not sliced: a slice's gradient is a tensor of the whole size.
        head, tails = tf.split(nodes, [1, 2], axis=1)
        positive, negative = tf.unstack(transr((head[:, 0], relation, tails)), num=2, axis=1)
        ranking = pairwise_loss(positive, negative) / batch_size
        size = 2 * (tf.nn.l2_loss(nodes) + tf.nn.l2_loss(tf.gather(transr.relation, relation)))
        return ranking + self.kg_l2 * size / batch_size, ranking

    @property
    def triplet_variables(self) -> list:
        """The variables that the TransR loss trains."""
        return [self.encoder.nodes, self.encoder.transr.projection, self.encoder.transr.relation]

    @property
    def sequence_variables(self) -> list:
        """The variables that the Cloze loss trains: TransR's own only where attention is differentiable."""
        if self.encoder.attention == "differentiable":
            return self.trainable_variables
        of_transr = {id(variable) for variable in self.encoder.transr.trainable_variables}
        return [variable for variable in self.trainable_variables if id(variable) not in of_transr]
