# Sourced by run_experiments.sh and tests/run.sh: makes .venv with the project in it, once.
# Set PYTHON to choose the interpreter (default: python3).

prepare_environment() {
  local extras="$1" python="${PYTHON:-python3}" stamp=".venv/installed-${1:-base}" wanted
  wanted="$(cat setup.py constraints*.txt | cksum)"
  if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    return
  fi
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    echo "error: $python is no Python 3.9 or newer; set PYTHON to one" >&2
    exit 1
  fi
  if [ ! -x .venv/bin/pip ] && ! "$python" -m venv .venv; then
    echo "error: $python -m venv failed; install Python's venv module or set PYTHON to an interpreter that has it" >&2
    exit 1
  fi
  echo "installing the project into .venv (TensorFlow is about 500 MB)"
  if ! install_project "$extras"; then
    echo "error: pip could not install the project; its message is above" >&2
    exit 1
  fi
  echo "$wanted" > "$stamp"
}

# On the stack that is locked exactly the tested files are installed, compared by their SHA-256; elsewhere pip chooses.
install_project() {
  local extras="$1" pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check)
  if .venv/bin/python -c 'import platform, sys
here = sys.version_info[:2], platform.system(), platform.machine()
sys.exit(here != ((3, 11), "Linux", "x86_64"))'; then
    "${pip[@]}" --require-hashes --requirement "constraints${extras:+-$extras}.txt" &&
      "${pip[@]}" --no-deps --no-build-isolation --editable .
  else
    "${pip[@]}" --editable ".${extras:+[$extras]}"
  fi
}
