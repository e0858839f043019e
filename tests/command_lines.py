"""What the tests of commands share: flags of a small run on the tiny data set, and how a command fails."""

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


def fails(done, status, message):
    assert done.returncode == status, done.stdout + done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    return True
