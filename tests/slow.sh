#!/usr/bin/env bash
# The tests that tests/run.sh leaves out for their time: several processes, kills, trainings to an end, a copy of the tree.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source ./environment.sh
prepare_environment test
"$VENV/bin/python" -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile -m slow "$@"
