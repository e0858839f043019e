"""The training loop: progress, evaluation, early stopping, checkpoints, results."""

from __future__ import annotations

import time
import warnings
from typing import Any, Optional

import tensorflow as tf
from tqdm import tqdm

from katrec.common import interruption, provenance
from katrec.common.command_line import UserError, reason
from katrec.common.rankings import SPLITS
from katrec.data.dataset import Dataset
from katrec.evaluation.ranking import Evaluator
from katrec.evaluation.summary import Summary
from katrec.layers.tracing import traced
from katrec.models import registry
from katrec.models.build import build
from katrec.settings import Settings
from katrec.training import checkpoints, devices, earlier, pretraining, run_directory
from katrec.training.batches import Batches
from katrec.training.checkpoints import LATEST, PRETRAINING, Checkpoints
from katrec.training.log import Log
from katrec.training.step import LOSS, STEPS, TRANSR_LOSS, NotFiniteError, TrainSteps
from katrec.training.tracking import OnRow

TRACED_STEPS = 10
# A loss that has become so many times that of the first step is told.
DIVERGED = 1.5


class Trainer:
    """Trains one model on one data set in one run directory.

    Args:
      settings: the run's settings.
      dataset: what is trained and evaluated on.
      output_dir: the run directory, which `run_directory.claim` has made this run's.
      pretrained_dir: where pre-trained embeddings are kept for other runs, or None.
      on_row: called with each row of metrics.jsonl, or None.

    Raises:
      UserError: the data set has nothing to train or evaluate on.
    """

    def __init__(
        self,
        settings: Settings,
        dataset: Dataset,
        output_dir: str,
        pretrained_dir: Optional[str] = None,
        on_row: Optional[OnRow] = None,
    ) -> None:
        self._settings, self._dataset, self._on_row = settings, dataset, on_row
        self._output_dir, self._pretrained_dir = output_dir, pretrained_dir
        if (dataset.valid >= 0).sum() == 0:
            raise UserError(f"data set {dataset.name}: no user has three interactions, there is nothing to evaluate")
        if registry.MODELS[settings.model].reads_graph and not len(dataset.triplets) and not settings.allow_empty_graph:
            raise UserError(
                f"data set {dataset.name} has no triplet: {settings.model} would learn from the users' interactions "
                "alone; prepare it with a graph, or say --allow_empty_graph"
            )
        self._chief = devices.is_chief(settings.distribution)
        self._strategy = devices.strategy(settings.distribution)
        with self._strategy.scope():
            self.model = build(settings, dataset)
            self._steps = TrainSteps(self.model, settings, self._strategy)
        try:
            self._batches = Batches(dataset, self.model, settings)
        except ValueError as error:
            raise UserError(f"data set {dataset.name}: {error}") from None
        self._evaluators = {split: Evaluator(self.model, dataset, split, settings.num_negatives) for split in SPLITS}
        self.progress = tf.Module()
        self.progress.step = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.progress.best = tf.Variable(-1.0, trainable=False, dtype=tf.float64)
        self.progress.waited = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.progress.seconds = tf.Variable(0.0, trainable=False, dtype=tf.float64)
        self.progress.first_losses = tf.Variable(tf.zeros([2]), trainable=False)
        self._latest = Checkpoints(
            output_dir, LATEST, keep=2, model=self.model, step=self._steps, progress=self.progress
        )
        self._best = checkpoints.best_checkpoints(output_dir, self.model)

    def run(self) -> Optional[dict[str, Any]]:
        """Trains to the end, from the last checkpoint where there is one.

        Returns:
          The content of result.json; None on a worker that is not the chief, which writes nothing.

        Raises:
          UserError: the loss is not finite, all checkpoints are damaged, or another worker is gone.
          Interrupted: Ctrl-C or SIGTERM; what was reached is saved.
        """
        try:
            return self._run()
        except NotFiniteError as error:
            raise self._not_finite(error) from None
        except tf.errors.ResourceExhaustedError as error:
            raise UserError(
                f"{self._output_dir}: no room on the disk or in the memory ({reason(error)}); the same command goes on "
                "from the last checkpoint; a smaller --batch_size needs less memory"
            ) from None
        except (
            tf.errors.UnavailableError,
            tf.errors.AbortedError,
            tf.errors.CancelledError,
            tf.errors.InternalError,
            tf.errors.DeadlineExceededError,
        ) as error:
            if self._settings.distribution != "multi_worker":
                raise
            raise devices.lost_worker(error, self._output_dir) from None

    def _say_who_is_evaluated(self):
        for split, evaluator in self._evaluators.items():
            if evaluator.left_out:
                warnings.warn(
                    f"{split}: {evaluator.left_out:,} users are left out: their histories have every other item, there "
                    f"is nothing to rank against; {len(evaluator.users):,} are ranked",
                    UserWarning,
                    stacklevel=2,
                )
            if evaluator.short:
                warnings.warn(
                    f"{split}: {evaluator.short:,} of {len(evaluator.users):,} users have fewer than "
                    f"{self._settings.num_negatives} items outside their histories (the least: {evaluator.fewest}); "
                    "they are ranked among those, and Hit@K is 1 for a user who has fewer than K",
                    UserWarning,
                    stacklevel=2,
                )

    def _run(self):
        progress = self.progress
        going_on = self._restore()
        if self._chief:
            if going_on:
                print(f"going on from step {int(progress.step)} in {self._output_dir}")
            self._say_who_is_evaluated()
            self._log = Log(self._output_dir, int(progress.step), self._on_row)
        if not going_on and self._settings.init_from:
            self._begin_from_earlier()
        if not going_on and pretraining.wanted(self._settings):
            self._pretrain()
        if self._chief:
            # Also where a process was killed between the first checkpoint and this.
            Checkpoints(self._output_dir, PRETRAINING).discard()
        self._train()
        result = self._result() if self._chief else None
        # A worker that ends while another works on is taken for lost.
        self._of_chief(0.0)
        return result

    def _restore(self):
        """Restores the last checkpoint; returns whether there is one."""
        # Before the latest: both are of the same variables.
        best = self._best.restore(tidy=self._chief) is not None
        going_on = self._latest.restore(tidy=self._chief) is not None
        if going_on and not best and float(self.progress.best) >= 0:
            raise self._best_is_gone()
        return going_on

    def _best_is_gone(self):
        return UserError(
            f"{self._output_dir}: checkpoints/best is gone, the weights that did best; train again with --noresume"
        )

    def _not_finite(self, error):
        lower = "lower --learning_rate and begin anew with --noresume"
        if not self._latest.exist:
            return UserError(f"{error}; nothing was saved: {lower}")
        self._latest.restore()
        return UserError(
            f"{error}; it was not saved: the last checkpoint is of step {int(self.progress.step):,}, the same command "
            f"goes on from there; where it comes to the same again, {lower}"
        )

    def _begin_from_earlier(self):
        new = earlier.begin_from(self._settings.init_from, self.model, self._dataset)
        if self._chief:
            told = ", ".join(f"{count:,} {what}s" for what, count in new.items() if count)
            print(f"beginning with the weights of {self._settings.init_from}; new: {told or 'nothing'}")
            self._latest.save()

    def _pretrain(self):
        self.progress.seconds.assign(
            pretraining.pretrain(
                self.model,
                self._dataset,
                self._settings,
                self._strategy,
                self._pretrained_dir,
                silent=not self._chief,
                output_dir=self._output_dir,
            )
        )
        if self._chief:
            self._latest.save()

    def _result(self):
        settings = self._settings
        if self._best.restore() is None:
            raise self._best_is_gone()
        summaries = {split: Summary(self._evaluators[split], self._dataset, settings.cutoffs) for split in SPLITS}
        evaluator, test = self._evaluators["test"], summaries["test"]
        result = {
            "dataset": self._dataset.name,
            "model": settings.model,
            "seed": settings.seed,
            "step": int(self.progress.step),
            "seconds": round(float(self.progress.seconds), 1),
            "precision": self.model.precision,
            **provenance.version(),
            "machine": provenance.machine(),
            "date": provenance.today(),
            "users": len(evaluator.users),
            "users_left_out": evaluator.left_out,
            "users_with_fewer_negatives": evaluator.short,
            **{split: summary.all_users() for split, summary in summaries.items()},
            "test_groups": test.by_group(),
        }
        run_directory.write_result(self._output_dir, result, evaluator.users, test.ranks)
        return result

    def _train(self):
        settings, progress = self._settings, self.progress
        step, started = int(progress.step), time.monotonic() - float(progress.seconds)
        batches = self._batches.from_step(step)
        shown = {}
        with (
            interruption.held(),
            tqdm(
                total=settings.train_steps,
                initial=step,
                unit="step",
                desc=f"{settings.model} {self._dataset.name}",
                mininterval=1.0,
                dynamic_ncols=True,
                disable=not self._chief,
            ) as bar,
        ):
            while step < settings.train_steps and int(progress.waited) < settings.patience:
                if interruption.asked():
                    raise self._stopped(step)
                if step % settings.attention_refresh_steps == 0:
                    self.model.refresh_attention()
                count = self._steps_until_next_event(step)
                sums = self._steps(batches, step, count)
                losses = sums[[LOSS, TRANSR_LOSS]] / sums[STEPS]
                if step == 0:
                    progress.first_losses.assign(losses)
                step += count
                progress.step.assign(step)
                bar.update(count)
                shown["loss"] = f"{losses[0]:.3f}"
                if self.model.triplet_variables:
                    shown["transr"] = f"{losses[1]:.3f}"
                bar.set_postfix(shown, refresh=False)
                progress.seconds.assign(time.monotonic() - started)
                evaluated = step == settings.train_steps or step % settings.eval_every_steps == 0
                if evaluated:
                    shown["valid"] = f"{self._evaluate(step):.4f}"
                    progress.seconds.assign(time.monotonic() - started)
                if self._chief and (evaluated or step % settings.checkpoint_every_steps == 0):
                    self._latest.save()

    def _steps_until_next_event(self, step):
        """Returns how many steps may be run at once: none passes a refresh, an evaluation or a checkpoint."""
        if step == 0:
            return 1  # Later losses are compared with the first one.
        settings = self._settings
        periods = (
            TRACED_STEPS,
            settings.attention_refresh_steps,
            settings.eval_every_steps,
            settings.checkpoint_every_steps,
        )
        return min(settings.train_steps - step, *(period - step % period for period in periods))

    def _evaluate(self, step):
        """Evaluates on validation, writes a row, keeps the weights if they are the best; returns the metric."""
        progress = self.progress
        losses = self._steps.take_losses()
        self._say_where_it_diverges(step, losses)
        protocol, metric = self._settings.stopping_protocol, self._settings.stopping_name
        valid = self._evaluators["valid"].evaluate(full=protocol == "full") if self._chief else None
        value = self._of_chief(valid[protocol][metric] if valid else 0.0)
        better = value > float(progress.best)
        progress.waited.assign(0 if better else progress.waited + 1)
        if better:
            progress.best.assign(value)
        if self._chief:
            if better:
                self._best.save()
            self._log.add(step, *losses, valid, float(progress.seconds))
        return value

    def _say_where_it_diverges(self, step, losses):
        for name, loss, first in zip(("the loss", "TransR's loss"), losses, self.progress.first_losses.numpy()):
            if self._chief and loss > DIVERGED * first > 0:
                warnings.warn(
                    f"step {step}: {name} is {loss:.3f}, it was {first:.3f} in the first step: the training diverges; "
                    "a lower --learning_rate or a longer --warmup_steps may help",
                    UserWarning,
                    stacklevel=2,
                )

    def _stopped(self, step):
        """Saves where the run is; returns what ends it."""
        if self._chief:
            self._latest.save()
        return interruption.Interrupted(
            f"interrupted; step {step:,} is saved in {self._output_dir}, the same command goes on from there"
        )

    def _of_chief(self, value):
        """Returns the chief's `value` on every worker, so that all decide alike."""
        if self._strategy.num_replicas_in_sync == 1:
            return value
        replicas = self._sum_of_first_replica(tf.constant(value, tf.float64))
        return float(self._strategy.experimental_local_results(replicas)[0])

    @traced
    def _sum_of_first_replica(self, value):
        def own(value):
            context = tf.distribute.get_replica_context()
            first = tf.equal(context.replica_id_in_sync_group, 0)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(first, value, tf.zeros_like(value)))

        return self._strategy.run(own, args=(value,))
