"""The training loop: progress, evaluation, early stopping, checkpoints, results."""

import math
import time

import tensorflow as tf
from tqdm import tqdm

from katrec import settings
from katrec.evaluation.metrics import metrics
from katrec.evaluation.ranking import SPLITS, Evaluator
from katrec.models.build import build
from katrec.training import distribution, pretraining, run_directory
from katrec.training.batches import Batches
from katrec.training.checkpoints import best_checkpoint, latest_checkpoint
from katrec.training.log import Log
from katrec.training.step import TrainSteps
from katrec_common.command_line import UserError

STOPPING_METRIC = "NDCG@10"
TRACED_STEPS = 10


class Trainer:
    """Trains one model on one data set in one run directory.

    Args:
      config: the run's settings (`katrec.settings`).
      dataset: `Dataset`.

    Raises:
      UserError: the data set has nothing to train or evaluate on.
    """

    def __init__(self, config, dataset):
        self._config, self._dataset = config, dataset
        if (dataset.valid >= 0).sum() == 0:
            raise UserError(f"data set {dataset.name}: no user has three interactions, there is nothing to evaluate")
        self._chief = settings.is_chief(config)
        self._strategy = distribution.strategy(config.distribution)
        with self._strategy.scope():
            self.model, self._graph = build(config, dataset)
            self._steps = TrainSteps(self.model, config, self._strategy)
        try:
            self._batches = Batches(dataset, self._graph, self.model, config)
        except ValueError as error:
            raise UserError(f"data set {dataset.name}: {error}") from None
        self._evaluators = {split: Evaluator(self.model, dataset, split, config.num_negatives) for split in SPLITS}
        self.progress = tf.Module()
        self.progress.step = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.progress.best = tf.Variable(-1.0, trainable=False, dtype=tf.float64)
        self.progress.waited = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.progress.seconds = tf.Variable(0.0, trainable=False, dtype=tf.float64)
        checkpoint = tf.train.Checkpoint(model=self.model, step=self._steps, progress=self.progress)
        self._latest = latest_checkpoint(config.output_dir, checkpoint)
        self._best = best_checkpoint(config.output_dir, self.model)

    def run(self):
        """Trains to the end, from the last checkpoint where there is one.

        Returns:
          The content of result.json; None on a worker that is not the chief, which writes nothing.

        Raises:
          UserError: the loss is not finite, or another worker is gone.
        """
        try:
            return self._run()
        except (
            tf.errors.UnavailableError,
            tf.errors.AbortedError,
            tf.errors.CancelledError,
            tf.errors.InternalError,
            tf.errors.DeadlineExceededError,
        ) as error:
            if self._config.distribution != "multi_worker":
                raise
            raise distribution.lost_worker(error, self._config.output_dir) from None

    def _run(self):
        config, progress = self._config, self.progress
        going_on = self._latest.restore_or_initialize()
        if self._chief:
            if going_on:
                print(f"going on from step {int(progress.step)} in {config.output_dir}")
            self._log = Log(config.output_dir, int(progress.step))
        if not going_on and pretraining.wanted(config):
            self._pretrain()
        self._train()
        result = self._result() if self._chief else None
        # A worker that ends while another works on is taken for lost.
        self._of_chief(0.0)
        return result

    def _pretrain(self):
        self.progress.seconds.assign(
            pretraining.pretrain(
                self.model, self._dataset, self._graph, self._config, self._strategy, silent=not self._chief
            )
        )
        if self._chief:
            self._latest.save()

    def _result(self):
        config = self._config
        self._best.restore_or_initialize()
        ranks = {split: self._evaluators[split].ranks() for split in reversed(SPLITS)}
        result = {
            "dataset": config.dataset,
            "model": config.model,
            "seed": config.seed,
            "step": int(self.progress.step),
            "seconds": round(float(self.progress.seconds), 1),
            "precision": self.model.precision,
            "users": len(self._evaluators["test"].users),
            **{split: {protocol: metrics(values) for protocol, values in ranks[split].items()} for split in ranks},
        }
        run_directory.write_result(config.output_dir, result, self._evaluators["test"].users, ranks["test"])
        return result

    def _train(self):
        config, progress = self._config, self.progress
        step, started = int(progress.step), time.monotonic() - float(progress.seconds)
        batches = self._batches.from_step(step)
        shown = {}
        with tqdm(
            total=config.train_steps,
            initial=step,
            unit="step",
            desc=f"{config.model} {config.dataset}",
            mininterval=1.0,
            dynamic_ncols=True,
            disable=not self._chief,
        ) as bar:
            while step < config.train_steps and int(progress.waited) < config.patience:
                if step % config.attention_refresh_steps == 0:
                    self.model.refresh_attention()
                count = self._steps_until_next_event(step)
                self._steps(batches, step, count)
                step += count
                progress.step.assign(step)
                bar.update(count)
                losses = self._steps.loss_sums.numpy()
                shown["loss"] = f"{losses[0] / losses[2]:.3f}"
                if self.model.triplet_variables:
                    shown["transr"] = f"{losses[1] / losses[2]:.3f}"
                bar.set_postfix(shown, refresh=False)
                progress.seconds.assign(time.monotonic() - started)
                evaluated = step == config.train_steps or step % config.eval_every_steps == 0
                if evaluated:
                    shown["valid"] = f"{self._evaluate(step):.4f}"
                    progress.seconds.assign(time.monotonic() - started)
                if self._chief and (evaluated or step % config.checkpoint_every_steps == 0):
                    self._latest.save()

    def _steps_until_next_event(self, step):
        """Returns how many steps may be run at once: none passes a refresh, an evaluation or a checkpoint."""
        config = self._config
        periods = (TRACED_STEPS, config.attention_refresh_steps, config.eval_every_steps, config.checkpoint_every_steps)
        return min(config.train_steps - step, *(period - step % period for period in periods))

    def _evaluate(self, step):
        """Evaluates on validation, writes a row, keeps the weights if they are the best; returns the metric."""
        progress = self.progress
        losses = self._steps.take_losses()
        if not math.isfinite(sum(losses)):
            raise UserError(
                f"step {step}: the loss is {losses[0]}, TransR's {losses[1]}; "
                "lower --learning_rate and begin anew with --noresume"
            )
        valid = self._evaluators["valid"].evaluate(full=False)["sampled"] if self._chief else None
        value = self._of_chief(valid[STOPPING_METRIC] if valid else 0.0)
        better = value > float(progress.best)
        progress.waited.assign(0 if better else progress.waited + 1)
        if better:
            progress.best.assign(value)
        if self._chief:
            if better:
                self._best.save()
            self._log.add(step, *losses, valid, float(progress.seconds))
        return value

    def _of_chief(self, value):
        """Returns the chief's `value` on every worker, so that all decide alike."""
        if self._strategy.num_replicas_in_sync == 1:
            return value
        replicas = self._sum_of_first_replica(tf.constant(value, tf.float64))
        return float(self._strategy.experimental_local_results(replicas)[0])

    @tf.function
    def _sum_of_first_replica(self, value):
        def own(value):
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group == 0
            return context.all_reduce(tf.distribute.ReduceOp.SUM, value if first else tf.zeros_like(value))

        return self._strategy.run(own, args=(value,))
