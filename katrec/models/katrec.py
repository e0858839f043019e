"""KATRec (Section 3): a bidirectional transformer over a knowledge graph's item embeddings."""

import tensorflow as tf

from katrec.layers import (
    EgoNetworkAttention,
    EgoNetworks,
    ItemCooccurrence,
    KnowledgeGraphEncoder,
    TransR,
    embedding_initializer,
)
from katrec.layers.seeded_dropout import fold
from katrec.layers.transr import pairwise_loss
from katrec.models.cloze_recommender import ClozeRecommender
from katrec.models.recommender import ItemTables


class KATRec(ClozeRecommender):
    """Knowledge Aware aTtentive sequential Recommendations (Section 3), and its ablations (Section 4.2.5).

    Ablations: "no_attention" weighs all neighbours equally; "level1" has one propagation layer; "connection" gives
    the transformer input embeddings of its own; "concat" scores with V* alone, without the fusion.

    Args:
      graph: `CollaborativeGraph`.
      num_items, num_entities: |I| and |E|, items included.
      config: the run's settings as in `ClozeRecommender`, and entity_dim, relation_dim, propagation_dims,
        message_dropout, l2_normalize, attention, item_table, fusion_activation, user_modeling, ablation, kg_l2.
      policy: as in `ClozeRecommender`.
    """

    def __init__(self, graph, num_items, num_entities, config, policy="float32", **kwargs):
        dims = config.propagation_dims[:1] if config.ablation == "level1" else config.propagation_dims
        hidden_dim = config.entity_dim + sum(dims)
        super().__init__(num_items, hidden_dim, config, policy, **kwargs)
        self.num_entities = num_entities
        self.kg_l2 = config.kg_l2
        self.differentiable_attention = config.attention == "differentiable" and config.ablation != "no_attention"
        self.user_modeling = config.user_modeling
        self.networks = EgoNetworks(graph.heads, graph.relations, graph.tails, graph.num_nodes)
        self.nodes = self.add_weight(
            name="nodes", shape=(graph.num_nodes, config.entity_dim), initializer=embedding_initializer()
        )
        self.transr = TransR(graph.num_relations, config.relation_dim)
        self.transr.build([self.nodes.shape])
        self.attention = EgoNetworkAttention(uniform=config.ablation == "no_attention")
        self.encoder = KnowledgeGraphEncoder(dims, config.message_dropout, config.l2_normalize)
        own_inputs = config.ablation == "connection"
        self.reads_graph = not own_inputs
        # V*: the table that the transformer reads, unless it is asked to be one of its own.
        self.own_table = None
        if own_inputs or config.item_table == "own":
            self.own_table = self.add_weight(
                name="items", shape=(num_items, hidden_dim), initializer=embedding_initializer()
            )
        self.fusion = None if config.ablation == "concat" else ItemCooccurrence(config.fusion_activation, dtype=policy)
        self.attention_weights = self.add_weight(
            name="attention_weights", shape=self.networks.heads.shape, initializer="zeros", trainable=False
        )
        self._current_attention = tf.function(lambda: self.attention(self.nodes, self.networks, self.transr))
        self.refresh_attention()

    def refresh_attention(self):
        """Computes π′ of every edge from the current embeddings, without gradient."""
        self.attention_weights.assign(self._current_attention())

    def graph_matrices(self):
        """Returns the `AttentionMatrix` of each propagation layer; None where the attention is differentiable.

        The last layer is wanted for the items alone, unless users are modelled.
        """
        return None if self.differentiable_attention else self._matrices(self.attention_weights)

    def _matrices(self, weights):
        layers = len(self.encoder.propagation_dims)
        last = self.networks.matrix(weights, None if self.user_modeling else self.num_items)
        return [self.networks.matrix(weights)] * (layers - 1) + [last] if layers > 1 else [last]

    def node_representations(self, seed=None, matrices=None):
        """Returns e* (Section 3.2) of the items, float[|I|, q], or of all nodes, float[N, q], with user modelling.

        Arguments as in `item_tables`.
        """
        if matrices is None:
            weights = self.attention_weights
            if self.differentiable_attention:
                weights = self.attention(self.nodes, self.networks, self.transr)
            matrices = self._matrices(weights)

        def propagate(layer, nodes):
            return self.networks.propagate(matrices[layer], nodes)

        return self.encoder(tf.convert_to_tensor(self.nodes), propagate, seed=seed)

    def item_tables(self, seed=None, matrices=None):
        nodes = self.node_representations(fold(seed, 0), matrices)
        graph_items = nodes[: self.num_items]
        inputs = graph_items if self.reads_graph else tf.convert_to_tensor(self.own_table)
        sequential_items = inputs if self.own_table is None else tf.convert_to_tensor(self.own_table)
        outputs = sequential_items if self.fusion is None else self.fusion((sequential_items, graph_items))
        return ItemTables(
            inputs=tf.concat([inputs, self.special_tokens], axis=0),
            outputs=outputs,
            users=nodes[self.num_entities :] if self.user_modeling else None,
        )

    def triplet_loss(self, triplets, batch_size=None, entities_only=False):
        """The TransR loss (Eq. 1): mean of −ln σ(s(h,r,t′) − s(h,r,t)) + λ‖Θ‖², Θ the embeddings in the batch.

        Args:
          triplets: int32[n, 4], columns h, r, t, t′.
          batch_size: of the whole batch, where `triplets` is a part of one: the sums are divided by it instead of n.
          entities_only: items and users get no gradient (pre-training).

        Returns:
          The loss, and the ranking part of it alone; both scalars.
        """
        batch_size = tf.cast(tf.shape(triplets)[0] if batch_size is None else batch_size, tf.float32)
        relation = triplets[:, 1]
        places = tf.gather(triplets, [0, 2, 3], axis=1)
        nodes = tf.gather(self.nodes, places)
        if entities_only:
            free = tf.logical_and(places >= self.num_items, places < self.num_entities)
            nodes = tf.where(free[..., None], nodes, tf.stop_gradient(nodes))
        positive, negative = tf.unstack(self.transr((nodes[:, 0], relation, nodes[:, 1:])), num=2, axis=1)
        ranking = pairwise_loss(positive, negative) / batch_size
        size = 2 * (tf.nn.l2_loss(nodes) + tf.nn.l2_loss(tf.gather(self.transr.relation, relation)))
        return ranking + self.kg_l2 * size / batch_size, ranking

    @property
    def triplet_variables(self):
        """The variables that the TransR loss trains."""
        return [self.nodes, self.transr.projection, self.transr.relation]

    @property
    def sequence_variables(self):
        """The variables that the Cloze loss trains: TransR's own only where attention is differentiable."""
        if self.differentiable_attention:
            return self.trainable_variables
        own = {id(variable) for variable in self.transr.trainable_variables}
        return [variable for variable in self.trainable_variables if id(variable) not in own]
