#!/bin/sh
# Installs the bundle beside this file: install.sh DIR [PYTHON] [--tree CHECKOUT]
# PYTHON (default python3) is a Python 3.12 that has torch. CHECKOUT: run that code instead of the bundle's.
set -eu
here=$(dirname "$0")
dir=${1:?usage: install.sh DIR [PYTHON] [--tree CHECKOUT]}
shift
python=python3
case "${1:-}" in "" | -*) ;; *) python=$1; shift ;; esac
exec "$python" "$here/install.py" "$dir" "$@"
