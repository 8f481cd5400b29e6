#!/bin/sh
# Makes a virtual environment on a Python that can serve, or says in one sentence why there is none.
#
#   deploy/environment.sh FOLDER [PYTHON]
#
# Such a Python is looked for on PATH, then where pyenv, conda and uv keep theirs; else uv, in an environment of its own,
# finds or fetches one. One that is there already and can serve stays.
set -eu

folder=$1 given=${2:-}
judge=$(dirname "$0")/../server/face_server/interpreter.py
uv_version=0.13.9

fail() {
    echo "$*" >&2
    exit 1
}

fits() { [ -x "$1" ] && "$1" "$judge" > /dev/null 2>&1; }

case "$(uname -s) $(uname -m)" in
    "Linux x86_64") ;;
    *) fail "the server runs on Linux x86-64 only, and this is $(uname -s) $(uname -m); what runs here is the client:" \
        "pip install ./client ./tools, and --url of a server elsewhere" ;;
esac
[ -w . ] || fail "$(pwd) cannot be written by $(id -un): clone into a folder of your own"

fits "$folder/bin/python" && [ -x "$folder/bin/pip" ] && exit

on_path() {
    for name in python3 python3.11 python3.12; do
        python=$(command -v $name) && fits "$python" && return
    done
    return 1
}

# An absent folder leaves its pattern, which is no interpreter.
elsewhere() {
    for python in \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[12]*/bin/python3 \
        "${CONDA_PREFIX:-/opt/conda}"/bin/python3 \
        "$HOME"/miniconda3/bin/python3 "$HOME"/miniconda3/envs/*/bin/python3 \
        "$HOME"/miniforge3/bin/python3 "$HOME"/miniforge3/envs/*/bin/python3 \
        "$HOME"/anaconda3/bin/python3 "$HOME"/anaconda3/envs/*/bin/python3 \
        "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}"/*/bin/python3.1[12]
    do
        fits "$python" && return
    done
    return 1
}

uv_finds() {
    for wanted in 3.12 3.11 "--managed-python 3.12"; do
        # shellcheck disable=SC2086  # an option and its value
        python=$("$uv" python find --no-project --no-config --no-python-downloads $wanted 2> "$log") \
            && fits "$python" && return
    done
    return 1
}

with_uv() {
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    echo "No Python here can serve (python3 $reason), so uv finds or fetches CPython 3.12." >&2
    if ! uv=$(command -v uv); then
        uv=$folder-uv/bin/uv
        { python3 -m venv --clear "$folder-uv" \
            && "$folder-uv/bin/python" -m pip install --quiet --retries 1 "uv==$uv_version"; } > "$log" 2>&1 || no_uv
    fi
    uv_finds && return
    "$uv" python install --no-config 3.12 > "$log" 2>&1 || no_uv
    uv_finds || no_uv
}

no_uv() {
    why=$(sed -n 's/^ *\(cause\|error\|ERROR\): *//p' "$log" | tail -n 1)
    fail "uv could not provide CPython 3.12${why:+ ($why)}, and python3 $reason;" \
        "install Python 3.12 with its libpython3.12 and venv, and say make PYTHON=/path/to/python3.12"
}

if [ -n "$given" ]; then
    python=$(command -v "$given") || fail "PYTHON=$given is no program"
    why=$("$python" "$judge" 2>&1) || fail "PYTHON=$given $(echo "$why" | tail -n 1)"
elif ! on_path && ! elsewhere; then
    reason=$(python3 "$judge" 2>&1 | tail -n 1) || true
    command -v python3 > /dev/null || reason="is not there"
    with_uv
fi
echo "Python for $folder: $python" >&2
"$python" -m venv --clear "$folder"
