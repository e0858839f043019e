"""A progress bar over training runs that are processes of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from katrec.common.command_line import UserError
from katrec.training import run_directory

if TYPE_CHECKING:
    from katrec.experiments.running import PlannedRun

FORMAT = "{l_bar}{bar}| {n:.1f}/{total} runs [{elapsed}<{remaining}]"


class RunsBar:
    """How much of several runs is done, told by the steps of their last evaluations.

    Args:
      runs: what is to be trained.
      shown: whether there is a bar; on a terminal alone.
    """

    def __init__(self, runs: Sequence[PlannedRun], shown: bool) -> None:
        self._runs = runs
        # The mean speed: that of the last seconds says nothing where a run tells its steps a few times in all.
        self._bar = tqdm(
            total=len(runs),
            desc="training",
            bar_format=FORMAT,
            smoothing=0,
            dynamic_ncols=True,
            disable=None if shown else True,
        )

    def __enter__(self) -> RunsBar:
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.close()

    def update(self) -> None:
        """Reads how far the runs are, and shows it."""
        if not self._bar.disable:
            self._bar.n = sum(map(done_share, self._runs))
            self._bar.refresh()

    def print(self, line: str) -> None:
        """Prints a line above the bar."""
        with tqdm.external_write_mode():
            print(line, flush=True)


def done_share(run: PlannedRun) -> float:
    """Returns the share of a run's steps at its last evaluation; 0 before the first, 1 where it has ended.

    Args:
      run: what is trained.
    """
    try:
        if run.finished:
            return 1.0
        rows = run_directory.read_rows(os.path.join(run.folder, run_directory.METRICS))
        return rows[-1]["step"] / run_directory.read_config(run.folder).settings.train_steps if rows else 0.0
    except UserError:  # Its own command says it.
        return 0.0
