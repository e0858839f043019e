import os

import pytest

from katrec.common import threads


@pytest.mark.parametrize(
    "cores, card, jobs", [(1, False, 1), (None, False, 1), (2, False, 2), (16, False, 2), (16, True, 1)]
)
def test_two_runs_at_a_time_where_they_do_not_share_a_core_or_a_card(monkeypatch, tmp_path, cores, card, jobs):
    (tmp_path / "card").touch()
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(threads, "GRAPHICS_CARDS", (str(tmp_path / ("card" if card else "none")),))
    assert threads.default_jobs() == jobs
