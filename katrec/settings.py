"""A run's settings: what decides its numbers, beside the data set."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Any, Optional

from katrec.common.command_line import UserError
from katrec.common.rankings import CUTOFFS, RANKINGS

# KATRec's extension beyond the paper has defaults of its own.
NEXT_ITEM = "katrec_next_item"
# SASRec with newer layers begins with a newer loss too.
ESASREC = "esasrec"
# A baseline that is pre-trained in batches of its own size.
S3REC = "s3rec"


def _setting(
    default: Any,
    help: str,
    low: Optional[float] = None,
    high: Optional[float] = None,
    choices: Optional[tuple[str, ...]] = None,
    by_model: Optional[dict[str, Any]] = None,
) -> Any:
    """A field with its meaning, what it may be, and models whose default is another one."""
    metadata = {"default": default, "help": help, "low": low, "high": high, "choices": choices, "by_model": by_model}
    # None stands for the model's own default until the model is known.
    return dataclasses.field(default=None if by_model else default, metadata=metadata)


def _of_next_item(value: Any) -> dict[str, Any]:
    return {NEXT_ITEM: value}


@dataclasses.dataclass(frozen=True)
class Settings:
    """A model's and its training's settings; `dataclasses.replace` makes changed ones.

    The names are those of the flags of `python -m katrec.train`, which are made from these fields. Settings of models
    other than `model` are kept and not read.

    Raises:
      UserError: a value is of the wrong type or outside its range.
    """

    # What is trained; katrec.models.registry has the names.
    model: str = _setting("katrec", "What to train.")
    # All that is random is a function of it.
    seed: int = _setting(
        1, "Seed of initial values, batches, masks, dropout and broken triplets.", low=0, high=2**31 - 1
    )

    # The transformer, and the sizes of every model.
    max_sequence_length: int = _setting(50, "T: items (and mask token) that the transformer reads.", low=2)
    num_layers: int = _setting(2, "M: transformer layers; GRU4Rec's recurrent layers.", low=1)
    num_heads: int = _setting(2, "Attention heads; they divide q.", low=1)
    hidden_dim: int = _setting(
        128, "Embedding size of every model but KATRec, whose q is entity_dim plus all propagation_dims.", low=1
    )
    hidden_dropout: float = _setting(
        0.2, "Dropout of the embeddings' sum and of each sublayer's output.", low=0, high=0.99
    )
    attention_dropout: float = _setting(0.2, "Dropout of the transformer's attention weights.", low=0, high=0.99)
    positional_embedding: str = _setting(
        "learned", "Positional embedding P.", choices=("learned", "sinusoidal", "none")
    )
    objective: str = _setting(
        "cloze",
        "What KATRec's and BERT4Rec's transformer learns: masked items from both sides, as in the papers, or the item "
        "after each position from those up to it, by a softmax over all items.",
        choices=("cloze", "next_item"),
        by_model=_of_next_item("next_item"),
    )
    window_negatives: bool = _setting(
        True,
        "The softmax of KATRec and BERT4Rec is over all items; --nowindow_negatives: over the item that is predicted "
        "and those that its window does not hold.",
    )
    layer_norm: str = _setting(
        "post",
        "The transformer's layer norms: after each sublayer's sum, as in the paper, or before each sublayer.",
        choices=("post", "pre"),
        by_model=_of_next_item("pre"),
    )
    inner_factor: int = _setting(4, "Inner size of the feed-forward networks, as a multiple of q.", low=1)
    frequency_share: float = _setting(
        0.0,
        "α: share of the frequency rescaler in the attention of KATRec's and BERT4Rec's transformer: the history's "
        "mean, and the deviation from it feature by feature, as in BSARec.",
        low=0,
        high=1,
        by_model=_of_next_item(0.7),
    )
    kernel_initializer: str = _setting(
        "truncated_normal",
        "Initial values of the matrices in the transformer's layers: the paper's, in ±0.02, or Glorot's normal "
        "distribution, which is several times as wide.",
        choices=("truncated_normal", "glorot_normal"),
    )
    scaled_inputs: bool = _setting(
        False, "The transformer reads the item embeddings times √q.", by_model=_of_next_item(True)
    )
    recurrent_inputs: bool = _setting(
        False,
        "Gated recurrent units read what KATRec's and BERT4Rec's transformer reads, and their states are added to it.",
    )
    head: bool = _setting(True, "Score with GELU(v W_P + b_P); --nohead: with v itself.", by_model=_of_next_item(False))
    head_layer_norm: bool = _setting(True, "Layer norm after the head's GELU, as BERT has it.")

    # KATRec's knowledge graph module.
    entity_dim: int = _setting(64, "d: size of the graph's embeddings.", low=1)
    relation_dim: int = _setting(32, "k: size of TransR's relation spaces (32 or 64 in the literature).", low=1)
    propagation_dims: tuple[int, ...] = _setting((32, 16, 16), "d⁽¹⁾,…,d⁽ᴸ⁾: sizes of the L propagation layers.", low=1)
    message_dropout: float = _setting(0.1, "Dropout of each propagation layer's output.", low=0, high=0.99)
    l2_normalize: bool = _setting(True, "Normalise each propagation layer's output where it is concatenated (KGAT).")
    attention: str = _setting(
        "refreshed",
        "Graph attention: recomputed every --attention_refresh_steps without gradient; inside each step with it; or "
        "the same weight for all neighbours.",
        choices=("refreshed", "differentiable", "uniform"),
    )
    attention_refresh_steps: int = _setting(100, "Steps between two refreshes of the graph attention.", low=1)

    allow_empty_graph: bool = _setting(
        False, "Train on a data set without a triplet, on the users' interactions alone."
    )

    # How KATRec joins its two modules.
    transformer_inputs: str = _setting(
        "graph",
        "What the transformer reads: the graph's item embeddings, or a table of its own.",
        choices=("graph", "own"),
    )
    item_table: str = _setting(
        "tied",
        "V* of the fusion: the table that the transformer reads; a table of its own; or the sum of its own and E*W, "
        "which the transformer reads too.",
        choices=("tied", "own", "sum"),
        by_model=_of_next_item("sum"),
    )
    item_table_dropout: float = _setting(
        0.0,
        "Share of the items whose row in the table of their own is left out in a step, so that the graph must serve.",
        low=0,
        high=0.99,
        by_model=_of_next_item(0.2),
    )
    attribute_vectors: bool = _setting(
        False,
        "The table of its own has a vector for each entity that is no item too, and an item the mean of its entities'.",
        by_model=_of_next_item(True),
    )
    entity_loss: float = _setting(
        0.0,
        "λ of a loss beside the item's, with --attribute_vectors: the entities of the item that comes next are "
        "predicted by their vectors.",
        low=0,
        by_model=_of_next_item(0.5),
    )
    fusion: bool = _setting(
        True, "Score with Ê = σ((V* ‖ E*)Ŵ + b̂); --nofusion: with Ê = V*.", by_model=_of_next_item(False)
    )
    fusion_activation: str = _setting("gelu", "σ of the item co-occurrence layer.", choices=("gelu", "leaky_relu"))
    neighbour_scores: bool = _setting(
        False,
        "Items that a triplet joins to one of the last --neighbour_gaps items of the history get a score more, by "
        "relation and recency.",
        by_model=_of_next_item(True),
    )
    neighbour_gaps: int = _setting(5, "G: how many of the last items' neighbours get one.", low=1)
    transition_reach: int = _setting(
        3,
        "Items that follow each other in the training histories within so many places are neighbours too; 0: none are.",
        low=0,
    )
    similar_items: int = _setting(
        0,
        "Items whose entities in the graph are most alike are neighbours too, so many of each and as many cold ones; "
        "0: none are.",
        low=0,
    )
    user_modeling: bool = _setting(False, "Explicit user modelling: the hidden state is [e_u* ‖ v].")

    # An earlier run's weights.
    init_from: str = _setting(
        "",
        "Run directory whose best weights are where this one begins, instead of the pre-training: what both data sets "
        "have, by raw id. Its data set must still be there: prepare the longer log under another name.",
    )

    # Pre-training of the graph's embeddings.
    pretrained_embeddings: bool = _setting(
        True,
        "KATRec's item and user embeddings begin as BPR-MF's, the other entities' and the relations' as TransR's; "
        "S3-Rec begins with its self-supervised stage.",
    )
    pretrain_epochs: int = _setting(
        20,
        "Epochs of BPR-MF before KATRec's training, of its first stage before S3-Rec's.",
        low=1,
        by_model={S3REC: 100},
    )
    pretrain_kg_epochs: int = _setting(20, "Epochs of TransR over the collaborative graph's edges after that.", low=1)
    pretrain_batch_size: int = _setting(
        2048, "Interactions, triplets or sequences in a step of the pre-training.", low=1, by_model={S3REC: 256}
    )

    # The baselines' losses.
    sasrec_loss: str = _setting(
        "binary_cross_entropy",
        "The loss of SASRec, eSASRec and S3-Rec: with one sampled negative a position, as in SASRec's paper; over all "
        "items; or gSASRec's, with --num_samples uniform negatives that a batch shares.",
        choices=("binary_cross_entropy", "cross_entropy", "gbce"),
        by_model={ESASREC: "cross_entropy"},
    )
    gru4rec_loss: str = _setting("cross_entropy", "GRU4Rec's loss.", choices=("cross_entropy", "top1"))
    gru4recpp_loss: str = _setting("bpr_max", "GRU4Rec++'s loss.", choices=("bpr_max", "top1_max"))
    num_samples: int = _setting(2048, "GRU4Rec++'s additional negatives, gBCE's negatives, shared by a batch.", low=0)
    sample_alpha: float = _setting(0.5, "GRU4Rec++: α, they are drawn with probability ∝ popularity^α.", low=0, high=1)
    bpr_max_l2: float = _setting(1.0, "GRU4Rec++: λ of BPR-max's score regularization.", low=0)
    bpr_l2: float = _setting(1e-3, "BPR-MF: λ of its vectors' norms, by itself and as KATRec's pre-training.", low=0)

    # The training loop.
    train_steps: int = _setting(2000, "Iterations; the learning rate falls linearly to 0 at the last.", low=1)
    batch_size: int = _setting(256, "Sequences in a step of the model's own loss.", low=1)
    learning_rate: float = _setting(1e-3, "Peak learning rate of both losses' Adam.", low=0)
    warmup_steps: int = _setting(100, "Steps in which the learning rate rises linearly.", low=0)
    weight_decay: float = _setting(
        0.01, "Decoupled weight decay of the model's own loss, scaled by the learning rate.", low=0
    )
    mixed_precision: bool = _setting(
        False,
        "Matrix products of the transformer and the scores in bfloat16 (CPUs with AMX, AMD's with AVX512-BF16, GPUs "
        "since compute capability 8) or float16 with loss scaling (GPUs since 7); float32, and a line saying so, on "
        "others.",
    )
    distribution: str = _setting(
        "none",
        "Data-parallel training: on all GPUs of this machine, or on the workers that the environment variable "
        "TF_CONFIG names, with one --output_dir on a shared disk. --batch_size is of all devices together.",
        choices=("none", "mirrored", "multi_worker"),
    )
    clip_norm: float = _setting(5.0, "The gradient's global norm is clipped here.", low=1e-6)
    mask_share: float = _setting(0.2, "ϱ: share of a sequence's items that is masked; above 0.", low=1e-9, high=1)
    last_item_share: float = _setting(
        0.1, "Share of the sequences in which only the last item is masked.", low=0, high=1
    )
    sliding_window: float = _setting(
        0.5, "Stride of the windows over long histories, as a share of T.", low=0.01, high=1
    )
    kg_steps: int = _setting(1, "TransR steps in an iteration, before the step of the model's own loss.", low=1)
    kg_batch_size: int = _setting(2048, "Triplets in a TransR step.", low=1)
    kg_l2: float = _setting(1e-5, "λ of the TransR loss (Eq. 1).", low=0)

    # Which items are new ones, as a protocol.
    cold_item_share: float = _setting(
        0.0,
        "Share of the items that lose their training and validation interactions, as if they were new; how their test "
        "users are ranked is told apart (docs/cold-items.md).",
        low=0,
        high=0.99,
    )
    cold_seed: int = _setting(1, "Which items those are.", low=0, high=2**31 - 1)

    # Evaluation on the validation items.
    eval_every_steps: int = _setting(200, "Steps between two evaluations on the validation items.", low=1)
    checkpoint_every_steps: int = _setting(200, "Steps between two checkpoints; an evaluation writes one too.", low=1)
    stopping_metric: str = _setting(
        "sampled/NDCG@10",
        "Which ranking of the validation items says which weights are kept and when training stops: among "
        "--num_negatives sampled items, or among all (full/NDCG@10).",
        choices=RANKINGS,
    )
    patience: int = _setting(10, "Stop after so many evaluations without a better --stopping_metric.", low=1)
    num_negatives: int = _setting(100, "Negatives of the sampled ranking.", low=1)
    ks: tuple[int, ...] = _setting(
        CUTOFFS,
        "Lengths K of the lists for Hit@K, NDCG@K, Coverage@K and so on; 1, 5 and 10 are always among them. Of a "
        "finished run katrec.evaluate --ks says others.",
        low=1,
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None and field.metadata["by_model"]:
                value = field.metadata["by_model"].get(self.model, field.metadata["default"])
            value = _converted(field, value)
            object.__setattr__(self, field.name, value)

    @property
    def node_dim(self) -> int:
        """q of a model that reads the graph: d + Σ d⁽ˡ⁾, the size of e*."""
        return self.entity_dim + sum(self.propagation_dims)

    @property
    def cutoffs(self) -> tuple[int, ...]:
        """The K of all metrics of a result, ascending."""
        return tuple(sorted({*CUTOFFS, *self.ks}))

    @property
    def stopping_protocol(self) -> str:
        """The protocol of the stopping metric, "sampled" or "full"."""
        return self.stopping_metric.split("/")[0]

    @property
    def stopping_name(self) -> str:
        """The name of the stopping metric, such as "NDCG@10"."""
        return self.stopping_metric.split("/")[1]


FIELDS = {field.name: field for field in dataclasses.fields(Settings)}


def from_dict(values: dict[str, Any], place: str) -> Settings:
    """Returns the settings that a dict holds; what it lacks has its default.

    Args:
      values: {name: value}, as `dataclasses.asdict` gives them and JSON keeps them.
      place: what the message calls it.

    Raises:
      UserError: it has a setting that there is none of, or a wrong value.
    """
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        named = ", ".join(f"{name}={values[name]}" for name in unknown)
        raise UserError(f"{place}: unknown settings: {named}; was it written by another version of katrec?")
    try:
        return Settings(**values)
    except UserError as error:
        raise UserError(f"{place}: {error}") from None


def _converted(field: dataclasses.Field, value: Any) -> Any:
    """Returns a value in its field's type.

    Raises:
      UserError: it does not fit.
    """
    wanted_type = type(field.metadata["default"])
    if wanted_type is tuple:
        value = tuple(value) if isinstance(value, (list, tuple)) else value
        fits = isinstance(value, tuple) and len(value) > 0 and all(_is_integer(one) for one in value)
        value = tuple(map(int, value)) if fits else value
    elif wanted_type is int:
        fits = _is_integer(value)
        value = int(value) if fits else value
    elif wanted_type is float:
        fits = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
        value = float(value) if fits else value
    else:
        fits = isinstance(value, wanted_type)
    if not fits:
        described = {tuple: "one or more integers", float: "a finite number"}.get(
            wanted_type, f"of type {wanted_type.__name__}"
        )
        raise UserError(f"{field.name}={value!r}: must be {described}")
    low, high, choices = (field.metadata[name] for name in ("low", "high", "choices"))
    if choices and value not in choices:
        raise UserError(f"{field.name}={value}: choose from {', '.join(choices)}")
    for one in value if wanted_type is tuple else [value]:
        if low is not None and one < low:
            raise UserError(f"{field.name}={one}: must be at least {low:g}")
        if high is not None and one > high:
            raise UserError(f"{field.name}={one}: must be at most {high:g}")
    return value


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
