"""How models, variants and metrics are called in tables and figures."""

METRICS = ("NDCG@1", "NDCG@5", "NDCG@10", "Hit@5", "Hit@10", "MAP")
PROTOCOLS = {"sampled": "the target among {negatives} sampled negatives", "full": "the target among all items"}
MODELS = {
    "bprmf": "BPR-MF",
    "gru4rec": "GRU4Rec",
    "gru4rec++": "GRU4Rec++",
    "sasrec": "SASRec",
    "bert4rec": "BERT4Rec",
    "katrec": "KATRec",
}
# KATRec's variants and what makes them; "none" is KATRec itself, PAPER_VARIANTS are Table 3's, OPEN_CHOICES are the
# other answers to what the paper leaves open.
VARIANTS = {
    "none": ("KATRec", ()),
    "no_attention": ("NoAttention", ("--ablation=no_attention",)),
    "level1": ("Level-1", ("--ablation=level1",)),
    "connection": ("Connection", ("--ablation=connection",)),
    "no_pretrain": ("NoPretrain", ("--ablation=no_pretrain",)),
    "concat": ("Concat", ("--ablation=concat",)),
    "user_modeling": ("explicit users", ("--user_modeling",)),
    "no_user_modeling": ("no explicit users", ("--nouser_modeling",)),
    "no_position": ("without positions", ("--positional_embedding=none",)),
    "own_table": ("V* of its own", ("--item_table=own",)),
    "leaky_relu": ("σ = Leaky ReLU", ("--fusion_activation=leaky_relu",)),
    "no_l2_norm": ("no L2 norm", ("--nol2_normalize",)),
    "differentiable": ("differentiable attention", ("--attention=differentiable",)),
    "sinusoidal": ("sinusoidal positions", ("--positional_embedding=sinusoidal",)),
    "no_head_norm": ("no head norm", ("--nohead_layer_norm",)),
    "relation_dim_64": ("k = 64", ("--relation_dim=64",)),
    "no_last_item": ("no last-item samples", ("--last_item_share=0",)),
}
PAPER_VARIANTS = ("no_attention", "level1", "connection", "no_pretrain", "concat")
OPEN_CHOICES = (
    "own_table",
    "leaky_relu",
    "no_l2_norm",
    "differentiable",
    "sinusoidal",
    "no_head_norm",
    "relation_dim_64",
    "no_last_item",
)
