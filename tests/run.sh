#!/usr/bin/env bash
# Style, types, documents, tests but for the slow ones (tests/slow.sh). Arguments go to pytest: tests/run.sh -k transr
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source ./environment.sh
prepare_environment test
"$VENV/bin/ruff" check .
"$VENV/bin/ruff" format --check --quiet .
"$VENV/bin/mypy"
"$VENV/bin/bandit" --quiet --recursive --configfile pyproject.toml katrec preprocess
site="$(mktemp -d)"
trap 'rm -rf "$site"' EXIT
"$VENV/bin/mkdocs" build --strict --quiet --site-dir "$site"
# Files of tests share what they prepare; a process of TensorFlow holds up to 2 GB.
"$VENV/bin/python" -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile -m "not slow and not stacks" "$@"
