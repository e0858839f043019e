#!/usr/bin/env bash
# Prepares the data, trains and evaluates the models, writes results/<dataset>/table2.md.
#
#   ./run_experiments.sh                        MovieLens-100K, KATRec and BERT4Rec, one seed
#   ./run_experiments.sh --seeds=1,2,3          the numbers in the README
#   ./run_experiments.sh --dry_run              what would be run
#   ./run_experiments.sh --help                 all settings
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ./environment.sh
prepare_environment ""
exec .venv/bin/python -m katrec.experiments "$@"
