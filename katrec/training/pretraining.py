"""Initial embeddings of the graph: BPR-MF for items and users, then TransR for the rest (Section 4.2.5)."""

import os
import time
import types

import tensorflow as tf
from tqdm import tqdm

from katrec.models.bprmf import BPRMF
from katrec.training import kept_embeddings
from katrec.training.batches import Batches, triplet_batches
from katrec.training.optimizers import WarmupLinearDecay, adam, create_variables
from katrec.training.step import TrainSteps, triplet_step

TRIPLET_STREAM = 4
TRACED_STEPS = 50
# All that pre-training may see of a run's settings (kg_l2 through the model): what is kept for others is found by them.
SETTINGS = (
    "seed",
    "distribution",
    "entity_dim",
    "pretrain_epochs",
    "pretrain_kg_epochs",
    "pretrain_batch_size",
    "learning_rate",
    "weight_decay",
    "clip_norm",
    "bpr_l2",
    "kg_l2",
    "kg_steps",
    "sliding_window",
)


def wanted(config):
    """Returns whether the run that `config` describes begins with pre-trained embeddings."""
    return config.model == "katrec" and config.pretrained_embeddings and config.ablation != "no_pretrain"


def pretrain(model, dataset, graph, config, strategy, silent=False):
    """Gives a new KATRec's nodes and TransR their initial values.

    BPR-MF is trained on the training interactions for `pretrain_epochs`, and its vectors become e⁽⁰⁾ of items and
    users; with these fixed, TransR (Eq. 1) trains the other entities and the relations on the collaborative graph's
    edges for `pretrain_kg_epochs`. Both with the run's learning rate, falling linearly to 0.

    Args:
      model: `KATRec`.
      dataset: `Dataset`.
      graph: its `CollaborativeGraph`.
      config: the run's settings; with `pretrained_dir` the values are taken from there if an earlier run left them.
      strategy: `tf.distribute.Strategy`.
      silent: without progress bars.

    Returns:
      The seconds that it took, now or in the earlier run.

    Raises:
      UserError: the earlier run's file is damaged.
    """
    started = time.monotonic()
    if config.pretrained_dir:
        # A folder that cannot be made is found out now, not after the pre-training.
        os.makedirs(config.pretrained_dir, exist_ok=True)
    own = types.SimpleNamespace(**{name: getattr(config, name) for name in SETTINGS})
    path = config.pretrained_dir and kept_embeddings.path_of(
        config.pretrained_dir, model.triplet_variables, vars(own), dataset.checksums
    )
    seconds = kept_embeddings.restore(path, model.triplet_variables) if path else None
    if seconds is None:
        items, users = _matrix_factorization(dataset, own, strategy, silent)
        others = model.nodes[model.num_items : model.num_entities]
        model.nodes.assign(tf.concat([items, others, users], axis=0))
        _triplets(model, graph, own, strategy, silent)
        seconds = time.monotonic() - started
        if path:
            kept_embeddings.keep(path, model.triplet_variables, seconds)
    elif not silent:
        print(f"pre-trained embeddings of an earlier run: {path}")
    model.refresh_attention()
    return seconds


def _matrix_factorization(dataset, config, strategy, silent):
    """Returns BPR-MF's item and user vectors."""
    tf.keras.utils.set_random_seed(config.seed)
    with strategy.scope():
        model = BPRMF(dataset.num_items, dataset.num_users, config.entity_dim, config.bpr_l2)
        own = types.SimpleNamespace(**{**vars(config), "batch_size": config.pretrain_batch_size})
        batches = Batches(dataset, None, model, own)
        own.train_steps = config.pretrain_epochs * batches.per_epoch
        own.warmup_steps = 0
        steps = TrainSteps(model, own, strategy)
    iterator = batches.from_step(0)
    for number, count in _portions(own.train_steps, "pre-training: BPR-MF", silent):
        steps(iterator, number, count)
    return tf.convert_to_tensor(model.items), tf.convert_to_tensor(model.users)


def _triplets(model, graph, config, strategy, silent):
    number_of_steps = -(-config.pretrain_kg_epochs * len(graph.heads) // config.pretrain_batch_size)
    with strategy.scope():
        optimizer = adam(WarmupLinearDecay(config.learning_rate, 0, number_of_steps))
        create_variables(optimizer, model.triplet_variables)

    def step(triplets):
        triplet_step(model, optimizer, triplets, config.clip_norm, strategy, entities_only=True)

    @tf.function
    def run(batches, count):
        for _ in tf.range(count):
            strategy.run(step, args=next(batches))

    batches = triplet_batches(graph, config.pretrain_batch_size, [config.seed, TRIPLET_STREAM])
    for _, count in _portions(number_of_steps, "pre-training: TransR", silent):
        run(batches, tf.constant(count))


def _portions(total, title, silent):
    """Yields first step and number of steps of each stretch that is run at once, with a progress bar."""
    with tqdm(total=total, unit="step", desc=title, mininterval=1.0, dynamic_ncols=True, disable=silent) as bar:
        for first in range(0, total, TRACED_STEPS):
            count = min(TRACED_STEPS, total - first)
            yield first, count
            bar.update(count)
