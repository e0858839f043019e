#!/usr/bin/env bash
# Prepares the data, trains and evaluates the models, writes results/<dataset>/: the paper's tables and figures.
#
#   ./run_experiments.sh                    MovieLens-100K, all models, one seed
#   ./run_experiments.sh --seeds=1,2 --results_dir=results
#                                           the tables and figures in results/ml-100k
#   ./run_experiments.sh --dry_run          what would be run
#   ./run_experiments.sh --help             all settings
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ./environment.sh
prepare_environment ""
exec "$VENV/bin/python" -m katrec.experiments "$@"
