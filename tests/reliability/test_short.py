"""Short versions of the trials in docs/reliability.md."""

import random
import shutil

import pytest

from tests.reliability import fuzz
from tests.reliability.kills import Laboratory, chain

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_changed_files_are_read_or_refused_in_one_line(target):
    outcome = fuzz.fuzz(target, inputs=50)
    assert not outcome.findings, outcome.findings
    assert outcome.inputs >= 50


@pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc, which makes the library that kills at a file operation")
def test_a_run_that_is_killed_three_times_ends_as_one_that_is_not(tmp_path):
    laboratory = Laboratory(tmp_path, "katrec")
    whole = laboratory.train("whole")
    assert whole.status == 0, whole.text
    stops, ended = chain(laboratory, whole, 3, random.Random(5))
    assert ended.status == 0, (stops, ended.text)
    assert laboratory.outcome("run") == laboratory.outcome("whole"), stops
