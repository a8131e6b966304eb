#!/usr/bin/env bash
# All tests: the units, then a whole run of the profile `test` and nbval over every notebook.
#   tests/run.sh [--data DIR]              real images from DIR, else $IR_DATA, else data/
#   tests/run.sh [--data DIR] -k metrics   only pytest, with these arguments
set -euo pipefail
unset CDPATH

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
data=${IR_DATA:-$repo/data}
if [ "${1:-}" = --data ]; then
  data=${2:?--data needs a folder}
  shift 2
fi
[ -d "$data" ] || { echo "tests/run.sh: there is no folder $data" >&2; exit 2; }

python=$("$repo/run_all.sh" --setup)
IR_DATA=$(cd "$data" && pwd)
export IR_DATA PYTHONPATH="$repo${PYTHONPATH:+:$PYTHONPATH}"
cd "$repo"
if [ $# -gt 0 ]; then
  exec "$python" -m pytest "$@"
fi

OMP_NUM_THREADS=1 "$python" -m pytest --numprocesses auto --dist loadfile tests
IR_RESULTS=$(mktemp -d)
trap 'rm -rf "$IR_RESULTS"' EXIT
export IR_RESULTS IR_PROFILE=test
./run_all.sh --profile test
executed=("$IR_RESULTS"/test/executed/*.ipynb) # all but those that run on request
"$python" -m pytest --nbval-lax --nbval-current-env "${executed[@]/#*\//notebooks/}"
