"""Trials whose settings Optuna samples from the ranges of a search.json, stopped early where others did better."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from katrec.common import lock, provenance
from katrec.common.command_line import UserError
from katrec.common.interruption import Interrupted
from katrec.experiments import search_space, trials
from katrec.experiments.children import Children
from katrec.experiments.running import PlannedRun, common_flags, train
from katrec.training import run_directory

if TYPE_CHECKING:
    import optuna

STUDY = "optuna.log"
SEED = int(trials.SEED)
# Trials before the sampler and the pruner have something to compare with.
STARTUP_TRIALS = 5
FOLDER = "folder"


class SampledSearch:
    """The search of one model's settings: a study that any number of processes go on with.

    Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) samples, its median rule prunes: a trial ends where
    its best validation metric is below the median of the others' at the same step.

    Args:
      space: of `read_ranges`, the model with "ranges".
      model: its name.
      dataset: the data set's name.
      datasets_dir: folder of the prepared data sets.
      runs_dir: folder of the run directories.

    Raises:
      UserError: Optuna is not installed, or another process makes the study at this moment.
    """

    def __init__(self, space: dict[str, Any], model: str, dataset: str, datasets_dir: str, runs_dir: str) -> None:
        optuna = _optuna()
        self._model, self._dataset = model, dataset
        self._ranges = space[model]["ranges"]
        self._fixed = {**space[search_space.ALL], **space[model].get("flags", {})}
        self._common = common_flags(dataset, model, trials.SEED, datasets_dir, runs_dir)
        self._folder = os.path.join(runs_dir, dataset, "search")
        os.makedirs(self._folder, exist_ok=True)
        storage = optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(os.path.join(self._folder, STUDY))
        )
        # Each process that goes on with the study samples from a seed of its own: the number of trials so far.
        self._study = optuna.create_study(study_name=model, storage=storage, direction="maximize", load_if_exists=True)
        self.seed = SEED + len(self._study.trials)
        self._study.sampler = optuna.samplers.TPESampler(
            seed=self.seed, n_startup_trials=STARTUP_TRIALS, constant_liar=True
        )
        self._study.pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS)
        self._lock = threading.Lock()

    def run(self, count: int, jobs: int) -> list[str]:
        """Trains until the study has `count` trials; returns what went wrong, a line for each trial that failed.

        Args:
          count: finished and pruned ones of all processes together.
          jobs: how many train at a time here.

        Raises:
          Interrupted: Ctrl-C or SIGTERM; the same command goes on.
        """
        self._take_up_what_was_left()
        children = Children()
        failed: list[str] = []
        with ThreadPoolExecutor(jobs) as pool:
            try:
                workers = [pool.submit(self._work, count, jobs, children, failed) for _ in range(jobs)]
                for worker in workers:
                    worker.result()
            except KeyboardInterrupt:
                children.stop()
                raise Interrupted(
                    "interrupted; what the trials have is saved, the same command goes on from there"
                ) from None
        return failed

    def rows(self) -> list[dict[str, Any]]:
        """Returns a row for each trial that ended, as `trials.outcome`, with its state and the sampler's seed."""
        rows = []
        for trial in self._study.trials:
            state = trial.state.name.lower()
            if state in ("complete", "pruned"):
                row = {"model": self._model, "trial": trial.number, "flags": trial.params, "state": state}
                rows.append({**row, **trial.user_attrs["outcome"], "sampler": trial.user_attrs["sampler"]})
        return rows

    def _take_up_what_was_left(self):
        """Trials of processes that are gone are made again with the same settings: their runs go on."""
        for trial in self._study.get_trials(states=[_optuna().trial.TrialState.RUNNING]):
            folder = trial.user_attrs.get(FOLDER)
            if folder is None:
                continue  # It has just begun, or has nothing to go on with.
            try:
                with lock.owned(_ownership(folder), "watches"):
                    self._study.tell(trial.number, state=_optuna().trial.TrialState.FAIL)
                    self._study.enqueue_trial(trial.params, user_attrs={FOLDER: folder})
            except UserError:
                continue  # Another process is at it.

    def _work(self, count, jobs, children, failed):
        while not children.stopped:
            with contextlib.ExitStack() as stack:
                with self._lock:
                    if self._counted() + len(failed) >= count:
                        return
                    trial = self._study.ask()
                    name = f"{self._model}-sampled{trial.number}"
                    folder = trial.user_attrs.get(FOLDER, os.path.join(self._folder, name))
                    stack.enter_context(lock.owned(_ownership(folder), "watches"))
                    # Now another process may know that it is this one's.
                    trial.set_user_attr(FOLDER, folder)
                self._one(trial, PlannedRun(name, folder, ()), count, jobs, children, failed)

    def _counted(self):
        counted = ("COMPLETE", "PRUNED", "RUNNING")
        return sum(trial.state.name in counted and FOLDER in trial.user_attrs for trial in self._study.trials)

    def _one(self, trial, run, count, jobs, children, failed):
        """Trains one trial and tells the study."""
        trial.set_user_attr("sampler", f"TPESampler(seed={self.seed})")
        chosen = {setting: _suggested(trial, setting, one) for setting, one in self._ranges.items()}
        flags = (f"--{setting}={value}" for setting, value in {**self._fixed, **chosen}.items())
        run = run._replace(flags=(*self._common, *flags))
        started, watch = time.monotonic(), _Watch(trial, run.folder)
        error = train(run, jobs, children, watch.pruned)
        if children.stopped:
            return
        said = self._tell(trial, run, watch)
        if said == "failed":
            failed.append(f"{run.name}: {error}")
        text = ", ".join(f"{setting}={value}" for setting, value in chosen.items())
        print(f"{run.name} of {count}, {text}: {said}; {(time.monotonic() - started) / 60:.1f} min", flush=True)

    def _tell(self, trial, run, watch):
        """Tells the study how a trial ended; returns it."""
        state = _optuna().trial.TrialState
        if run.finished:
            outcome = trials.outcome(run.folder)
            trial.set_user_attr("outcome", outcome)
            self._study.tell(trial, outcome["valid"])
            return "done"
        if watch.asked:
            trial.set_user_attr("outcome", watch.outcome())
            self._study.tell(trial, state=state.PRUNED)
            return "pruned"
        self._study.tell(trial, state=state.FAIL)
        return "failed"


class _Watch:
    """Reports a run's rows to its trial as they are written, and asks whether it is to be pruned."""

    def __init__(self, trial: optuna.Trial, folder: str) -> None:
        self._trial, self._folder = trial, folder
        self._seen = 0
        self._best, self._step, self._seconds = 0.0, 0, 0.0
        self.asked = False

    def pruned(self) -> bool:
        path = os.path.join(self._folder, run_directory.METRICS)
        rows = run_directory.read_rows(path)
        for row in rows[self._seen :]:
            settings = run_directory.read_config(self._folder).settings
            value = row["valid"][settings.stopping_protocol][settings.stopping_name]
            self._best, self._step, self._seconds = max(self._best, value), row["step"], row["seconds"]
            self._trial.report(self._best, self._step)
        if len(rows) > self._seen:
            self._seen = len(rows)
            self.asked = self._trial.should_prune()
        return self.asked

    def outcome(self) -> dict[str, Any]:
        """Returns what a pruned run had reached, as `trials.outcome` of a finished one."""
        return {
            "metric": run_directory.read_config(self._folder).settings.stopping_metric,
            "valid": self._best,
            "steps": self._step,
            "seconds": self._seconds,
            **provenance.version(),
            "machine": provenance.machine(),
            "date": provenance.today(),
        }


def _ownership(folder):
    """Returns the folder whose lock says that a process of the search watches over a run; the run has its own lock."""
    return os.path.join(folder, "search")


def _optuna():
    """Returns the module.

    Raises:
      UserError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise UserError("--trials needs Optuna: pip install 'katrec[search]', or pip install optuna") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _suggested(trial, name, one):
    if "choices" in one:
        return trial.suggest_categorical(name, one["choices"])
    suggest = trial.suggest_int if all(isinstance(one[end], int) for end in ("low", "high")) else trial.suggest_float
    return suggest(name, one["low"], one["high"], log=one.get("log", False))
