# Sourced by run_experiments.sh and the scripts in tests/: makes .venv with the project in it, once. Set PYTHON to choose
# the interpreter; else it is python3, or where that is too old or too new the newest that fits. VENV is another folder.

VENV="${VENV:-.venv}"
OLDEST=3.9 NEWEST=3.13 INSTALL_LOG="$VENV/install.log"

prepare_environment() {
  local extras="$1" stamp="$VENV/installed-${1:-base}" wanted
  wanted="$(cat setup.py constraints*.txt | cksum)"
  make_venv || exit 1
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    return
  fi
  echo "installing the project into $VENV (TensorFlow is about 500 MB)"
  if ! install_project "$extras" > "$INSTALL_LOG" 2>&1; then
    tail -n 20 "$INSTALL_LOG" >&2
    echo "error: pip could not install the project; the end of its messages is above, all of them in $INSTALL_LOG" >&2
    exit 1
  fi
  echo "$wanted" > "$stamp"
}

# Leaves a $VENV that is there, but for one of another Python than PYTHON asks for.
make_venv() {
  local python
  if [ -x "$VENV/bin/pip" ]; then
    [ -n "${PYTHON:-}" ] || return 0
    python="$(find_python)" || return 1
    [ "$(version_of "$python")" != "$(version_of "$VENV/bin/python")" ] || return 0
    echo "replacing $VENV: it has $(version_of "$VENV/bin/python"), PYTHON asks for $(version_of "$python")"
  else
    python="$(find_python)" || return 1
  fi
  if ! "$python" -m venv --clear "$VENV"; then
    echo "error: $python -m venv failed; install Python's venv module or set PYTHON to an interpreter that has it" >&2
    return 1
  fi
}

# Prints an interpreter that TensorFlow has releases for, and says so where it is not python3.
find_python() {
  local path
  if [ -n "${PYTHON:-}" ]; then
    path="$(located "$PYTHON")"
    if ! fits "$path"; then
      echo "error: PYTHON=$PYTHON is $(version_of "$path"), it must be Python $OLDEST to $NEWEST" >&2
      return 1
    fi
    echo "$path"
    return
  fi
  path="$(first_of python3 python3.13 python3.12 python3.11 python3.10 python3.9)"
  if [ -z "$path" ]; then
    echo "error: python3 is $(version_of python3); install Python $OLDEST to $NEWEST, or set PYTHON to one" >&2
    return 1
  fi
  if [ "$path" != python3 ]; then
    echo "using $path: python3 is $(version_of python3), TensorFlow has releases for $OLDEST to $NEWEST" >&2
  fi
  echo "$path"
}

# Prints the first of the interpreters that fits, or nothing.
first_of() {
  local name path
  for name in "$@"; do
    path="$(located "$name")"
    if fits "$path"; then
      echo "$path"
      return
    fi
  done
}

# Prints the name, or for python3.N that does not run by it the path of pyenv's, which may be installed but not chosen.
located() {
  local prefix
  if [[ "$1" == python3.* ]] && ! "$1" -c "" 2>/dev/null && prefix="$(pyenv prefix "${1#python}" 2>/dev/null)"; then
    echo "$prefix/bin/$1"
  else
    echo "$1"
  fi
}

fits() {
  "$1" -c 'import sys
low, high = (tuple(map(int, text.split("."))) for text in sys.argv[1:])
sys.exit(not low <= sys.version_info[:2] <= high)' "$OLDEST" "$NEWEST" 2>/dev/null
}

version_of() {
  "$1" -c 'import platform; print("Python", platform.python_version())' 2>/dev/null || echo "not there"
}

# On the machines that are tested exactly the tested files are installed, compared by their SHA-256; elsewhere pip chooses.
install_project() {
  local extras="$1" pip=("$VENV/bin/python" -m pip install --disable-pip-version-check)
  if [ "$(uname -sm)" = "Linux x86_64" ]; then
    "${pip[@]}" --require-hashes --requirement "constraints${extras:+-$extras}.txt" &&
      "${pip[@]}" --no-deps --no-build-isolation --editable .
  else
    "${pip[@]}" --editable ".${extras:+[$extras]}"
  fi
}
