"""The flags of a training run: one list, which train.py reads and a run directory's config.json keeps."""

import json
import os
import types

from absl import flags

from katrec_common.command_line import FlagError

FLAGS = flags.FLAGS
NAMES = []
MODELS = ("gru4rec", "gru4rec++", "sasrec", "bert4rec", "katrec", "bprmf")
ABLATIONS = ("none", "no_attention", "level1", "connection", "no_pretrain", "concat")


def _define(define, name, default, *args, **kwargs):
    define(name, default, *args, **kwargs)
    NAMES.append(name)


_string, _integer, _float = flags.DEFINE_string, flags.DEFINE_integer, flags.DEFINE_float
_boolean, _enum = flags.DEFINE_boolean, flags.DEFINE_enum

_define(_string, "dataset", "ml-100k", "Name of a prepared data set.")
_define(_string, "datasets_dir", "datasets", "Folder of the prepared data sets.")
_define(_string, "output_dir", None, "Run directory: config.json, checkpoints, metrics.jsonl, result.json.")
_define(_enum, "model", "katrec", MODELS, "What to train.")
_define(_integer, "seed", 1, "Seed of initial values, batches, masks, dropout and broken triplets.", 0, 2**31 - 1)
_define(_boolean, "resume", True, "Go on from the last checkpoint in --output_dir; --noresume begins anew.")

_define(_integer, "max_sequence_length", 50, "T: items (and mask token) that the transformer reads.", 2)
_define(_integer, "num_layers", 2, "M: transformer layers; GRU4Rec's recurrent layers.", 1)
_define(_integer, "num_heads", 2, "Attention heads; they divide q.", 1)
_define(
    _integer,
    "hidden_dim",
    128,
    "Embedding size of every model but KATRec, whose q is entity_dim plus all propagation_dims.",
    1,
)
_define(_float, "hidden_dropout", 0.2, "Dropout of the embeddings' sum and of each sublayer's output.", 0, 0.99)
_define(_float, "attention_dropout", 0.2, "Dropout of the transformer's attention weights.", 0, 0.99)
_define(_enum, "positional_embedding", "learned", ["learned", "sinusoidal", "none"], "Positional embedding P.")
_define(_boolean, "head_layer_norm", True, "Layer norm after the head's GELU, as BERT has it.")

_define(_integer, "entity_dim", 64, "d: size of the graph's embeddings.", 1)
_define(_integer, "relation_dim", 32, "k: size of TransR's relation spaces (32 or 64 in the literature).", 1)
_define(flags.DEFINE_list, "propagation_dims", ["32", "16", "16"], "d⁽¹⁾,…,d⁽ᴸ⁾: sizes of the propagation layers.")
_define(_float, "message_dropout", 0.1, "Dropout of each propagation layer's output.", 0, 0.99)
_define(_boolean, "l2_normalize", True, "Normalise each propagation layer's output where it is concatenated (KGAT).")
_define(
    _enum,
    "attention",
    "refreshed",
    ["refreshed", "differentiable"],
    "Graph attention: recomputed every --attention_refresh_steps without gradient, or inside each step with it.",
)
_define(_integer, "attention_refresh_steps", 100, "Steps between two refreshes of the graph attention.", 1)
_define(
    _enum,
    "item_table",
    "tied",
    ["tied", "own"],
    "V* of the fusion: the table that the transformer reads, or a table of its own.",
)
_define(_enum, "fusion_activation", "gelu", ["gelu", "leaky_relu"], "σ of the item co-occurrence layer.")
_define(_boolean, "user_modeling", False, "Explicit user modelling: the hidden state is [e_u* ‖ v].")
_define(
    _enum,
    "ablation",
    "none",
    ABLATIONS,
    "A variant of Table 3: equal neighbour weights; one propagation layer; input embeddings of the transformer's "
    "own; no pre-trained embeddings; Ê = V* without fusion.",
)
_define(
    _boolean,
    "pretrained_embeddings",
    True,
    "KATRec's item and user embeddings begin as BPR-MF's, the other entities' and the relations' as TransR's.",
)
_define(_integer, "pretrain_epochs", 20, "Epochs of BPR-MF before KATRec's training.", 1)
_define(_integer, "pretrain_kg_epochs", 20, "Epochs of TransR over the collaborative graph's edges after that.", 1)
_define(_integer, "pretrain_batch_size", 2048, "Interactions or triplets in a step of the pre-training.", 1)
_define(
    _string,
    "pretrained_dir",
    None,
    "Folder that keeps pre-trained embeddings; a run that would compute the same ones takes them from there.",
)

_define(
    _enum,
    "sasrec_loss",
    "binary_cross_entropy",
    ["binary_cross_entropy", "cross_entropy"],
    "SASRec's loss: with one sampled negative a position, as in its paper, or over all items.",
)
_define(_enum, "gru4rec_loss", "cross_entropy", ["cross_entropy", "top1"], "GRU4Rec's loss.")
_define(_enum, "gru4recpp_loss", "bpr_max", ["bpr_max", "top1_max"], "GRU4Rec++'s loss.")
_define(_integer, "num_samples", 2048, "GRU4Rec++: additional negatives, shared by a batch.", 0)
_define(_float, "sample_alpha", 0.5, "GRU4Rec++: α, they are drawn with probability ∝ popularity^α.", 0, 1)
_define(_float, "bpr_max_l2", 1.0, "GRU4Rec++: λ of BPR-max's score regularization.", 0)
_define(_float, "bpr_l2", 1e-3, "BPR-MF: λ of its vectors' norms, by itself and as KATRec's pre-training.", 0)

_define(_integer, "train_steps", 2000, "Iterations; the learning rate falls linearly to 0 at the last.", 1)
_define(_integer, "batch_size", 256, "Sequences in a Cloze step.", 1)
_define(_float, "learning_rate", 1e-3, "Peak learning rate of both losses' Adam.", 0)
_define(_integer, "warmup_steps", 100, "Steps in which the learning rate rises linearly.", 0)
_define(_float, "weight_decay", 0.01, "Decoupled weight decay of the Cloze step, scaled by the learning rate.", 0)
_define(
    _boolean,
    "mixed_precision",
    False,
    "Matrix products of the transformer and the scores in bfloat16 (CPUs with AMX or AVX512-BF16, GPUs since "
    "compute capability 8) or float16 with loss scaling (GPUs since 7); float32, and a line saying so, on others.",
)
_define(
    _enum,
    "distribution",
    "none",
    ["none", "mirrored", "multi_worker"],
    "Data-parallel training: on all GPUs of this machine, or on the workers that the environment variable "
    "TF_CONFIG names, with one --output_dir on a shared disk. --batch_size is of all devices together.",
)
_define(_float, "clip_norm", 5.0, "The gradient's global norm is clipped here.", 1e-6)
_define(_float, "mask_share", 0.2, "ϱ: share of a sequence's items that is masked.", 0, 1)
_define(_float, "last_item_share", 0.1, "Share of the sequences in which only the last item is masked.", 0, 1)
_define(_float, "sliding_window", 0.5, "Stride of the windows over long histories, as a share of T.", 0.01, 1)
_define(_integer, "kg_steps", 1, "TransR steps in an iteration, before its Cloze step.", 1)
_define(_integer, "kg_batch_size", 2048, "Triplets in a TransR step.", 1)
_define(_float, "kg_l2", 1e-5, "λ of the TransR loss (Eq. 1).", 0)

_define(_integer, "eval_every_steps", 200, "Steps between two evaluations on the validation items.", 1)
_define(_integer, "checkpoint_every_steps", 200, "Steps between two checkpoints; an evaluation writes one too.", 1)
_define(_integer, "patience", 10, "Stop after so many evaluations without a better validation NDCG@10.", 1)
_define(_integer, "num_negatives", 100, "Negatives of the sampled ranking.", 1)


def from_flags():
    """Returns every setting's value as a namespace.

    Raises:
      FlagError: a value, or a combination of values, makes no model.
    """
    values = {name: FLAGS[name].value for name in NAMES}
    try:
        values["propagation_dims"] = [int(dim) for dim in values["propagation_dims"]]
    except ValueError:
        given = ",".join(FLAGS.propagation_dims)
        raise FlagError(f"--propagation_dims={given}: integers separated by commas") from None
    config = types.SimpleNamespace(**values)
    if config.output_dir is None:
        raise FlagError("--output_dir is needed: the folder for this run's checkpoints and results")
    if not config.propagation_dims or min(config.propagation_dims) < 1:
        raise FlagError("--propagation_dims: at least one size, each at least 1")
    if config.pretrained_dir and config.distribution == "multi_worker":
        raise FlagError("--pretrained_dir: not with --distribution=multi_worker, whose workers pre-train together")
    if config.mask_share == 0:
        raise FlagError("--mask_share must be above 0")
    if hidden_dim(config) % config.num_heads:
        raise FlagError(f"--num_heads={config.num_heads} does not divide the hidden size {hidden_dim(config)}")
    return config


def is_chief(config):
    """Returns whether this process writes the run's files: worker 0 of a cluster, or the only process.

    Raises:
      FlagError: TF_CONFIG is needed and does not name this process's place in a cluster.
    """
    if config.distribution != "multi_worker":
        return True
    try:
        cluster = json.loads(os.environ["TF_CONFIG"])
        workers, task = cluster["cluster"]["worker"], cluster["task"]
        if task["type"] == "worker" and 0 <= int(task["index"]) < len(workers):
            return int(task["index"]) == 0
    except (KeyError, TypeError, ValueError):
        pass
    raise FlagError(
        "--distribution=multi_worker: the environment variable TF_CONFIG must hold JSON such as "
        '{"cluster": {"worker": ["host0:4000", "host1:4000"]}, "task": {"type": "worker", "index": 0}}'
    )


def hidden_dim(config):
    """Returns q of the model that `config` describes."""
    if config.model != "katrec":
        return config.hidden_dim
    layers = 1 if config.ablation == "level1" else None
    return config.entity_dim + sum(config.propagation_dims[:layers])
