#!/usr/bin/env bash
# Whether two TensorFlow stacks train the same and read each other's files. Needs both environments:
#   PYTHON=python3.11 ./tests/run.sh; PYTHON=python3.13 VENV=.venv-newer ./tests/run.sh; tests/stacks.sh .venv-newer
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source ./environment.sh
prepare_environment test
OTHER_STACK="${1:?the folder of the other environment, such as .venv-newer}/bin/python" exec "$VENV/bin/python" -m pytest -m stacks
