#!/usr/bin/env bash
# Style, types, documents, tests but for the slow ones (tests/slow.sh). Arguments go to pytest: tests/run.sh -k transr
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source ./environment.sh
prepare_environment test
.venv/bin/ruff check .
.venv/bin/ruff format --check --quiet .
.venv/bin/mypy
.venv/bin/bandit --quiet --recursive --configfile pyproject.toml katrec preprocess
site="$(mktemp -d)"
trap 'rm -rf "$site"' EXIT
.venv/bin/mkdocs build --strict --quiet --site-dir "$site"
# Files of tests share what they prepare; a process of TensorFlow holds up to 2 GB.
.venv/bin/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile -m "not slow" "$@"
