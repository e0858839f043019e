"""For the tests of commands: flags of a small run on the tiny data set, what it measured, how a command fails."""

import json
import re

SMALL = [
    "--dataset=tiny",
    "--max_sequence_length=8",
    "--entity_dim=8",
    "--propagation_dims=4,4",
    "--hidden_dim=16",
    "--relation_dim=4",
    "--batch_size=16",
    "--kg_batch_size=32",
    "--train_steps=6",
    "--eval_every_steps=3",
]
FILTERS = ["--min_interactions=2", "--min_entity_count=2", "--min_relation_count=2"]
# When and from which commit a run was made, and the checksum of these, too.
_OF_THE_DAY = ("seconds", "date", "commit", "checksum")


def measured(output_dir):
    """All that a run measured: what two runs of the same settings share, on whichever day they were made."""
    rows = [json.loads(row) for row in (output_dir / "metrics.jsonl").read_text().splitlines()]
    rows.append(json.loads((output_dir / "result.json").read_text()))
    return [{name: value for name, value in row.items() if name not in _OF_THE_DAY} for row in rows]


def fails(done, status, message):
    assert done.returncode == status, done.stdout + done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    return True
