"""Training runs as processes of their own: several at a time, none stopping the others."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import NamedTuple, Optional

from katrec.common.command_line import UserError
from katrec.common.interruption import Interrupted
from katrec.common.threads import threads
from katrec.experiments.children import Children
from katrec.experiments.progress import RunsBar
from katrec.models import registry
from katrec.training import run_directory

LOG = "train.log"
BAR_SECONDS = 1


class PlannedRun(NamedTuple):
    """A training run that is to be made.

    Attributes:
      name: what the progress calls it.
      folder: its run directory.
      flags: the arguments of `katrec.train`, --output_dir left out.
    """

    name: str
    folder: str
    flags: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        """The command that trains it."""
        return [sys.executable, "-m", "katrec.train", *self.flags, f"--output_dir={self.folder}"]

    @property
    def finished(self) -> bool:
        """Whether its directory has a result."""
        return run_directory.read_result(self.folder) is not None


def settings_file(datasets_dir: str, dataset: str, name: str) -> Optional[str]:
    """Returns the path of a file of a data set's settings: the user's, or that which came with the package, or None."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # In a wheel the flags are in katrec/datasets; a source tree has them beside katrec.
    for folder in (datasets_dir, os.path.join(package, "datasets"), os.path.join(os.path.dirname(package), "datasets")):
        path = os.path.join(folder, dataset, name)
        if os.path.exists(path):
            return path
    return None


def flagfiles(datasets_dir: str, dataset: str, model: str) -> tuple[str, ...]:
    """Returns the flags of a data set's settings: flags.txt, then MODEL.txt, where there is one, which overrides it.

    Raises:
      UserError: there is no flags.txt.
    """
    common, specific = (settings_file(datasets_dir, dataset, name) for name in ("flags.txt", f"{model}.txt"))
    if common is None:
        path = os.path.join(datasets_dir, dataset, "flags.txt")
        raise UserError(f"data set {dataset}: there is no {path} with its training flags")
    return tuple(f"--flagfile={path}" for path in (common, specific) if path)


def common_flags(dataset: str, model: str, seed: str, datasets_dir: str, runs_dir: str) -> tuple[str, ...]:
    """Returns what a model's planned runs have in common; those with pre-trained embeddings share them."""
    shared: tuple[str, ...] = ()
    if registry.MODELS[model].pretraining:
        shared = (f"--pretrained_dir={os.path.join(runs_dir, dataset, 'pretrained')}",)
    return (f"--dataset={dataset}", f"--model={model}", f"--seed={seed}", f"--datasets_dir={datasets_dir}", *shared)


def run_all(runs: Sequence[PlannedRun], jobs: int = 1) -> dict[PlannedRun, str]:
    """Trains every run; a finished one is checked and not repeated, an interrupted one goes on.

    With one job a run's own progress bar is shown; with several, one bar tells how much of all runs is done, and each
    run has its share of the processor's cores and writes to train.log in its run directory.

    Args:
      runs: what to train.
      jobs: how many train at a time.

    Returns:
      {run: what went wrong} of those that failed.

    Raises:
      Interrupted: Ctrl-C or SIGTERM; the runs have saved what they have.
    """
    started = time.monotonic()
    failed: dict[PlannedRun, str] = {}
    pending = [run for run in runs if not _finished(run)]
    # Finished runs cost seconds: what is to go is told by the others.
    ordered = [run for run in runs if run not in pending] + pending
    children = Children()
    with ThreadPoolExecutor(jobs) as pool, RunsBar(pending, shown=jobs > 1) as bar:
        try:
            futures = {pool.submit(train, run, jobs, children): run for run in ordered}
            done = 0
            for number, future in enumerate(_as_completed(futures, bar), start=1):
                run, error = futures[future], future.result()
                if error:
                    failed[run] = error
                done += run in pending
                outcome = f"failed: {error}" if error else "done" if run in pending else "was finished"
                bar.print(
                    f"[{number}/{len(runs)}] {run.name}: {outcome}; "
                    + _times(time.monotonic() - started, done, len(pending))
                )
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            children.stop()
            # The pool waits for them.
            raise Interrupted("interrupted; what the runs have is saved, the same command goes on from there") from None
    return failed


def _as_completed(futures, bar):
    """Yields the futures as they end, and keeps the bar going until then."""
    left = set(futures)
    while left:
        ended, left = wait(left, BAR_SECONDS, FIRST_COMPLETED)
        bar.update()
        yield from ended


def _finished(run):
    try:
        return run.finished
    except UserError:  # Its own command says it.
        return False


def _times(seconds, done, pending):
    text = f"{seconds / 60:.1f} min so far"
    if 0 < done < pending:
        text += f", about {seconds / done * (pending - done) / 60:.0f} min to go"
    return text


def train(
    run: PlannedRun, jobs: int, children: Children, stop_when: Optional[Callable[[], bool]] = None
) -> Optional[str]:
    """Trains one run; returns what went wrong, or None.

    Args:
      run: what to train.
      jobs: how many train at this time.
      children: the processes.
      stop_when: asked each second whether the run shall end.
    """
    if jobs == 1:
        print(f"{run.name}: {printable(run.command)}", flush=True)
        return "its message is above" if children.run(run.command, stop_when=stop_when) else None
    os.makedirs(run.folder, exist_ok=True)
    path = os.path.join(run.folder, LOG)
    share = max(1, (os.cpu_count() or 1) // jobs)
    with open(path, "w", encoding="utf-8") as log:
        status = children.run(run.command, threads(share), log, stop_when)
    if status == 0:
        return None
    with open(path, encoding="utf-8", errors="replace") as log:
        lines = [line for line in log.read().splitlines() if line.strip()]
    # What a command says of wrong input is one line with "error"; else the end of a traceback.
    last = next((line for line in reversed(lines) if ": error: " in line), lines[-1] if lines else f"status {status}")
    return f"{last} ({path})"


def printable(command: Sequence[str]) -> str:
    """Returns a command as it can be typed."""
    return shlex.join(["python", *command[1:]])
