#!/usr/bin/env bash
# One command: find or make the environment, then run every notebook that is not up to date.
set -euo pipefail

REPO=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")") # may be called through a link

usage() {
  cat <<'TEXT'
Reproduce the tables and figures of both papers. Start with:

    ./run_all.sh                         a small run on images that come with the kit
    ./run_all.sh --data DIR              the same on real images (data/README.md: what goes where)

The first start installs what is needed into .venv, unless an active conda environment or venv
already has it. Later starts run only what has changed since, and say why. Results are written to
results/PROFILE: tables, figures, numbers.csv and, in executed/, the notebooks as they ran.

  --profile smoke|laptop|paper   how big a run: minutes, hours, or as the papers did (smoke)
  --data DIR                     the data root (data/, or $IR_DATA where that is set)
  --seeds 0,1,2                  train with each of these seeds, and show them alone (0, and show
                                 with it all others that are finished)
  --device auto|cpu|cuda         where to compute (auto: a CUDA GPU where there is one)
  --precision auto|fp32|bf16     what to train in (auto: bf16 where the device is made for it)
  --jobs N                       jobs to run at the same time (as many as there are cores, of which
                                 a job takes one, in the profile paper all; as many as there are
                                 GPUs, of which a job has one); results do not depend on it
  --cluster NAME                 run the jobs on a cluster, as profiles/NAME says (slurm)
  --only TARGET...               only these notebooks or experiments, and what they need
  --force                        run again what was chosen, or all, changed or not
  --list                         show the targets and how long they took
  --dry-run                      show what would run, why, and how long it should take
  --publish                      copy what readers need of a profile's results, without weights,
                                 to results/published/PROFILE; runs nothing
  --take-published               the other way: published runs count as made here, so that a run
                                 of days goes on from what other machines have done; runs nothing
  --setup                        only make the environment; prints its python
  --help                         this text

    ./run_all.sh --dry-run --profile laptop
    ./run_all.sh --only C5 --seeds 0,1 --data ~/images
    ./run_all.sh --cluster slurm --profile paper --device cuda --seeds 0,1,2
    ./run_all.sh --only 13_2dgan_table4 --force

Ctrl-C stops; the same command goes on from there. Exit code: 0 all done, 1 something failed,
2 an option is wrong, 130 stopped.
TEXT
}

say() { echo "$*" >&2; }
die() { # CODE MESSAGE...
  local code=$1
  shift
  say "run_all.sh: $*"
  exit "$code"
}

# What of requirements.txt is not installed for python $1, one line; nothing if all is.
unsatisfied() {
  "$1" -P - "$REPO/requirements.txt" 2>/dev/null <<'PYTHON' || echo "$1 does not run"
import sys
from importlib.metadata import PackageNotFoundError, version
try:
    from packaging.requirements import Requirement
except ImportError:
    sys.exit(print("packaging is missing"))
for line in open(sys.argv[1], encoding="utf-8"):
    text = line.split("#")[0].strip()
    if not text:
        continue
    needed = Requirement(text)
    if needed.marker and not needed.marker.evaluate():
        continue
    try:
        found = version(needed.name)
    except PackageNotFoundError:
        sys.exit(print(f"{needed.name} is missing"))
    if not needed.specifier.contains(found, prereleases=True):
        sys.exit(print(f"{needed.name} is {found}, not {needed.specifier}"))
PYTHON
}

# Run pip for python $1 with the other arguments; say something every 15 s, explain a failure.
pip_install() {
  local python=$1 log="$REPO/.venv/pip.log" start=$SECONDS pip
  shift
  "$python" -P -m pip install --quiet --disable-pip-version-check "$@" >"$log" 2>&1 &
  pip=$!
  trap 'kill "$pip"; say "stopped; run the same command to continue"; exit 130' INT TERM
  while kill -0 "$pip" 2>/dev/null; do
    sleep 1
    ((SECONDS % 15)) || say "  installing, $((SECONDS - start)) s ..."
  done
  trap - INT TERM
  wait "$pip" && return
  if grep -qiE 'no space left|errno 28|quota exceeded' "$log"; then
    die 1 "the disk is full (pip's output: $log)"
  elif grep -qiE 'connection|timed out|resolution|network|no matching distribution' "$log"; then
    die 1 "a package could not be fetched; is there a network? (pip's output: $log)"
  fi
  die 1 "pip failed: $(grep -i error "$log" | tail -n 1) (pip's output: $log)"
}

free_gb() { df -Pk "$REPO" | awk 'NR == 2 { print int($4 / 1024 / 1024) }'; }

# Set PYTHON to an interpreter that has what requirements.txt lists.
find_or_make_environment() {
  local active=${VIRTUAL_ENV:-${CONDA_PREFIX:-}} base problem needed_gb=8
  if [ -n "$active" ] && [ "$active" != "$REPO/.venv" ]; then
    PYTHON="$active/bin/python"
    problem=$(unsatisfied "$PYTHON")
    [ -z "$problem" ] && return
    say "the active environment $active does not fit ($problem); using .venv"
  fi

  PYTHON="$REPO/.venv/bin/python"
  [ -z "$(unsatisfied "$PYTHON")" ] && return
  exec 9<"$REPO/requirements.txt"
  flock -n 9 || { say "waiting for another set-up of .venv" && flock 9; }
  problem=$(unsatisfied "$PYTHON")
  [ -z "$problem" ] && exec 9<&- && return
  local whole=
  if "$PYTHON" -P -m pip --version >/dev/null 2>&1; then
    whole=1
    say ".venv does not fit requirements.txt: $problem"
    "$PYTHON" -P -c 'import torch' 2>/dev/null && needed_gb=2
  fi
  [ "$(free_gb)" -ge "$needed_gb" ] ||
    die 1 "only $(free_gb) GB of disk are free at $REPO; the environment needs $needed_gb"
  if [ -z "$whole" ]; then # none, or what a stop or a Python that is gone has left
    base=$(python_311) ||
      die 1 "Python 3.11 was not found; install it, or: conda env create -f environment.yml"
    say "making the environment .venv with $("$base" --version)"
    "$base" -m venv --clear "$REPO/.venv" >&2 ||
      die 1 "$base cannot make a venv; on Debian and Ubuntu install python3.11-venv"
  fi
  say "installing requirements.txt into .venv (several GB, some minutes)"
  pip_install "$PYTHON" -r "$REPO/requirements.txt"
  pip_install "$PYTHON" --no-deps --no-build-isolation -e "$REPO"
  "$PYTHON" -P -c 'import torch, torchvision
print("environment ready: torch", torch.__version__, "torchvision", torchvision.__version__)' >&2 ||
    die 1 "torch and torchvision are installed but cannot be imported; delete .venv and try again"
  exec 9<&-
}

python_311() {
  local name
  for name in python3.11 python3; do
    if "$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  return 1
}

# Options are looked at before anything is installed, their values by lib/running/run_all.py.
SETUP_ONLY=
ARGUMENTS=("$@")
while (($#)); do
  case $1 in
    -h | --help) usage && exit ;;
    --setup) SETUP_ONLY=1 ;;
    --profile | --data | --jobs | --seeds | --device | --precision | --cluster)
      [ $# -gt 1 ] || die 2 "$1 needs a value (./run_all.sh --help explains the options)"
      [ "$1" != --data ] || [ -d "$2" ] || die 2 "there is no folder $2 (--data)"
      shift
      ;;
    --only | --force | --dry-run | --list | --publish | --take-published) ;;
    -*) die 2 "unknown option $1 (./run_all.sh --help explains the options)" ;;
  esac
  shift
done

find_or_make_environment
if [ -n "$SETUP_ONLY" ]; then
  echo "$PYTHON"
  exit
fi
# -P and PYTHONPATH: this clone's lib, whatever else is called lib here or in the environment
export OMP_NUM_THREADS=1 # planning needs no more; a training gets the threads of its profile
export PYTHONPATH="$REPO${PYTHONPATH:+:$PYTHONPATH}"
exec "$PYTHON" -P -m lib.running.run_all ${ARGUMENTS[@]+"${ARGUMENTS[@]}"}
