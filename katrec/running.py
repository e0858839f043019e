"""Training runs as processes of their own: planned, several at a time, none stopping the others."""

import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

from katrec.training import run_directory
from katrec_common.command_line import UserError

LOG = "train.log"
THREAD_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


class Run(NamedTuple):
    """One training run.

    Attributes:
      name: what the progress calls it.
      folder: its run directory.
      flags: the arguments of `katrec.train`, --output_dir left out.
    """

    name: str
    folder: str
    flags: tuple

    @property
    def command(self):
        return [sys.executable, "-m", "katrec.train", *self.flags, f"--output_dir={self.folder}"]

    @property
    def finished(self):
        return run_directory.read_result(self.folder) is not None


def flagfiles(datasets_dir, dataset, model):
    """Returns the flags of a data set's settings: flags.txt, then MODEL.txt, where there is one, which overrides it.

    Raises:
      UserError: there is no flags.txt.
    """
    folder = os.path.join(datasets_dir, dataset)
    common, own = os.path.join(folder, "flags.txt"), os.path.join(folder, f"{model}.txt")
    if not os.path.exists(common):
        raise UserError(f"{common}: not found; it holds the data set's training flags")
    return (f"--flagfile={common}", *([f"--flagfile={own}"] if os.path.exists(own) else []))


def flags_of(dataset, model, seed, datasets_dir, runs_dir):
    """Returns the flags that planned runs of a model have in common; KATRec's share their pre-trained embeddings."""
    kept = (f"--pretrained_dir={os.path.join(runs_dir, dataset, 'pretrained')}",) if model == "katrec" else ()
    return (f"--dataset={dataset}", f"--model={model}", f"--seed={seed}", f"--datasets_dir={datasets_dir}", *kept)


def run_all(runs, jobs=1):
    """Trains every run; a finished one is checked and not repeated, an interrupted one goes on.

    With one job a run's own progress bar is shown; with several, each has its share of the processor's cores and
    writes to train.log in its run directory.

    Args:
      runs: `Run`s.
      jobs: how many train at a time.

    Returns:
      {run: what went wrong} of those that failed.
    """
    started = time.monotonic()
    pending = [run for run in runs if not run.finished]
    failed = {}
    # Finished runs cost seconds: what is to go is told by the others.
    ordered = [run for run in runs if run not in pending] + pending
    with ThreadPoolExecutor(jobs) as pool:
        try:
            futures = {pool.submit(_train, run, jobs): run for run in ordered}
            done = 0
            for number, future in enumerate(as_completed(futures), start=1):
                run, error = futures[future], future.result()
                if error:
                    failed[run] = error
                done += run in pending
                print(_line(number, len(runs), run, error, time.monotonic() - started, done, len(pending)), flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failed


def _line(number, total, run, error, seconds, done, pending):
    text = f"[{number}/{total}] {run.name}: {f'failed: {error}' if error else 'done'}; {seconds / 60:.1f} min so far"
    if 0 < done < pending:
        text += f", about {seconds / done * (pending - done) / 60:.0f} min to go"
    return text


def _train(run, jobs):
    """Returns what went wrong, or None."""
    if jobs == 1:
        print(f"{run.name}: {printable(run.command)}", flush=True)
        return None if subprocess.run(run.command, check=False).returncode == 0 else "its message is above"
    os.makedirs(run.folder, exist_ok=True)
    path = os.path.join(run.folder, LOG)
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    with open(path, "w", encoding="utf-8") as log:
        status = subprocess.run(
            run.command,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
            env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, threads)},
        ).returncode
    if status == 0:
        return None
    with open(path, encoding="utf-8") as log:
        lines = [line for line in log.read().splitlines() if line.strip()]
    # What a command says of wrong input is one line with "error"; else the end of a traceback.
    last = next((line for line in reversed(lines) if ": error: " in line), lines[-1] if lines else f"status {status}")
    return f"{last} ({path})"


def printable(command):
    """Returns a command as it can be typed."""
    return shlex.join(["python", *command[1:]])
