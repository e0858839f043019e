"""The training loop: progress, evaluation, early stopping, checkpoints, results."""

import math
import os
import time

import tensorflow as tf
from tqdm import tqdm

from katrec.evaluation.ranking import SPLITS, Evaluator
from katrec.models.build import build
from katrec.training import run_directory
from katrec.training.batches import Batches
from katrec.training.checkpoints import best_checkpoint, latest_checkpoint
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
        self._config = config
        if (dataset.valid >= 0).sum() == 0:
            raise UserError(f"data set {dataset.name}: no user has three interactions, there is nothing to evaluate")
        self.model, graph = build(config, dataset)
        try:
            self._batches = Batches(dataset, graph, config)
        except ValueError as error:
            raise UserError(f"data set {dataset.name}: {error}") from None
        self._steps = TrainSteps(self.model, config)
        self._evaluators = {
            split: Evaluator(self.model, dataset, split, config.num_negatives) for split in SPLITS
        }
        self.progress = tf.Module()
        self.progress.step = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.progress.best = tf.Variable(-1.0, trainable=False, dtype=tf.float64)
        self.progress.waited = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.progress.seconds = tf.Variable(0.0, trainable=False, dtype=tf.float64)
        checkpoint = tf.train.Checkpoint(model=self.model, step=self._steps, progress=self.progress)
        self._latest = latest_checkpoint(config.output_dir, checkpoint)
        self._best = best_checkpoint(config.output_dir, self.model)
        self._rows = run_directory.MetricRows(config.output_dir)

    def run(self):
        """Trains to the end, from the last checkpoint where there is one; returns the content of result.json."""
        config, progress = self._config, self.progress
        if self._latest.restore_or_initialize():
            print(f"going on from step {int(progress.step)} in {config.output_dir}")
        self._rows.keep_until(int(progress.step))
        self._summaries = tf.summary.create_file_writer(os.path.join(config.output_dir, "tensorboard"))
        self._train()
        self._best.restore_or_initialize()
        result = {
            "dataset": config.dataset, "model": config.model, "seed": config.seed, "step": int(progress.step),
            "seconds": round(float(progress.seconds), 1), "users": len(self._evaluators["test"].users),
            **{split: self._evaluators[split].evaluate() for split in reversed(SPLITS)},
        }
        run_directory.write_result(config.output_dir, result)
        return result

    def _train(self):
        config, progress = self._config, self.progress
        step, started = int(progress.step), time.monotonic()
        seconds = float(progress.seconds)
        bar = tqdm(total=config.train_steps, initial=step, unit="step", desc=f"{config.model} {config.dataset}",
                   mininterval=1.0, dynamic_ncols=True)
        shown = {}
        batches = self._batches.from_step(step)
        while step < config.train_steps and int(progress.waited) < config.patience:
            if step % config.attention_refresh_steps == 0:
                self.model.refresh_attention()
            count = self._steps_until_next_event(step)
            self._steps(batches, step, count)
            step += count
            progress.step.assign(step)
            bar.update(count)
            at_end = step == config.train_steps
            losses = self._steps.loss_sums.numpy()
            shown.update(cloze=f"{losses[0] / losses[2]:.3f}", transr=f"{losses[1] / losses[2]:.3f}")
            bar.set_postfix(shown, refresh=False)
            evaluated = at_end or step % config.eval_every_steps == 0
            if evaluated:
                progress.seconds.assign(seconds + time.monotonic() - started)
                shown["valid"] = f"{self._evaluate(step):.4f}"
            if evaluated or step % config.checkpoint_every_steps == 0:
                progress.seconds.assign(seconds + time.monotonic() - started)
                self._latest.save()
        bar.close()

    def _steps_until_next_event(self, step):
        """Returns how many steps may be run at once: none passes a refresh, an evaluation or a checkpoint."""
        config = self._config
        periods = (TRACED_STEPS, config.attention_refresh_steps, config.eval_every_steps, config.checkpoint_every_steps)
        return min(config.train_steps - step, *(period - step % period for period in periods))

    def _evaluate(self, step):
        """Evaluates on validation, writes a row, keeps the weights if they are the best; returns the metric."""
        progress = self.progress
        valid = self._evaluators["valid"].evaluate(full=False)["sampled"]
        sequence_loss, triplet_loss = self._steps.take_losses()
        if not math.isfinite(sequence_loss + triplet_loss):
            raise UserError(f"step {step}: the loss is {sequence_loss} (Cloze), {triplet_loss} (TransR); "
                            "lower --learning_rate and begin anew with --noresume")
        value = valid[STOPPING_METRIC]
        if value > float(progress.best):
            progress.best.assign(value)
            progress.waited.assign(0)
            self._best.save()
        else:
            progress.waited.assign_add(1)
        row = {"step": step, "cloze_loss": sequence_loss, "transr_loss": triplet_loss, "valid": {"sampled": valid}}
        self._rows.add({**row, "seconds": round(float(progress.seconds), 1)})
        with self._summaries.as_default(step=step):
            tf.summary.scalar("loss/cloze", sequence_loss)
            tf.summary.scalar("loss/transr", triplet_loss)
            for name, metric in valid.items():
                tf.summary.scalar(f"valid/{name}", metric)
        self._summaries.flush()
        return value
