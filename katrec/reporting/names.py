"""How models, variants and metrics are called in tables and figures."""

METRICS = ("NDCG@1", "NDCG@5", "NDCG@10", "Hit@5", "Hit@10", "MAP")
PROTOCOLS = {"sampled": "the target among {negatives} sampled negatives", "full": "the target among all items"}
MODELS = {"bprmf": "BPR-MF", "gru4rec": "GRU4Rec", "gru4rec++": "GRU4Rec++", "sasrec": "SASRec", "bert4rec": "BERT4Rec",
          "katrec": "KATRec"}
# KATRec's variants and what makes them; "none" is KATRec itself, PAPER_VARIANTS are Table 3's.
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
}
PAPER_VARIANTS = ("no_attention", "level1", "connection", "no_pretrain", "concat")
