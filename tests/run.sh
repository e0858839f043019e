#!/usr/bin/env bash
# Lint and tests. Arguments go to pytest: tests/run.sh -k transr
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source ./environment.sh
prepare_environment test
.venv/bin/ruff check .
# Files of tests share what they prepare; a process of TensorFlow holds up to 2 GB.
exec .venv/bin/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile "$@"
