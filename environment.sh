# Sourced by run_experiments.sh, tests/run.sh and tests/slow.sh: makes .venv with the project in it, once.
# Set PYTHON to choose the interpreter; else it is python3, or where that is too old or too new the newest that fits.

OLDEST=3.9 NEWEST=3.13 INSTALL_LOG=.venv/install.log

prepare_environment() {
  local extras="$1" stamp=".venv/installed-${1:-base}" wanted python
  wanted="$(cat setup.py constraints*.txt | cksum)"
  if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    return
  fi
  if [ ! -x .venv/bin/pip ]; then
    python="$(find_python)" || exit 1
    if ! "$python" -m venv .venv; then
      echo "error: $python -m venv failed; install Python's venv module or set PYTHON to an interpreter that has it" >&2
      exit 1
    fi
  fi
  echo "installing the project into .venv (TensorFlow is about 500 MB)"
  if ! install_project "$extras" > "$INSTALL_LOG" 2>&1; then
    tail -n 20 "$INSTALL_LOG" >&2
    echo "error: pip could not install the project; the end of its messages is above, all of them in $INSTALL_LOG" >&2
    exit 1
  fi
  echo "$wanted" > "$stamp"
}

# Prints an interpreter that TensorFlow has releases for, and says so where it is not python3.
find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    if ! fits "$PYTHON"; then
      echo "error: PYTHON=$PYTHON is $(version_of "$PYTHON"), it must be Python $OLDEST to $NEWEST" >&2
      return 1
    fi
    echo "$PYTHON"
    return
  fi
  for candidate in python3 python3.13 python3.12 python3.11 python3.10 python3.9; do
    if fits "$candidate"; then
      if [ "$candidate" != python3 ]; then
        echo "using $candidate: python3 is $(version_of python3), TensorFlow has releases for $OLDEST to $NEWEST" >&2
      fi
      echo "$candidate"
      return
    fi
  done
  echo "error: python3 is $(version_of python3); install Python $OLDEST to $NEWEST, or set PYTHON to one" >&2
  return 1
}

fits() {
  "$1" -c 'import sys
low, high = (tuple(map(int, text.split("."))) for text in sys.argv[1:])
sys.exit(not low <= sys.version_info[:2] <= high)' "$OLDEST" "$NEWEST" 2>/dev/null
}

version_of() {
  "$1" -c 'import platform; print("Python", platform.python_version())' 2>/dev/null || echo "not there"
}

# On the stack that is locked exactly the tested files are installed, compared by their SHA-256; elsewhere pip chooses.
install_project() {
  local extras="$1" pip=(.venv/bin/python -m pip install --disable-pip-version-check)
  if .venv/bin/python -c 'import platform, sys
here = sys.version_info[:2], platform.system(), platform.machine()
sys.exit(here != ((3, 11), "Linux", "x86_64"))'; then
    "${pip[@]}" --require-hashes --requirement "constraints${extras:+-$extras}.txt" &&
      "${pip[@]}" --no-deps --no-build-isolation --editable .
  else
    "${pip[@]}" --editable ".${extras:+[$extras]}"
  fi
}
