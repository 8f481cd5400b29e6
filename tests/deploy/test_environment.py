"""deploy/environment.sh, with the real uv, on machines whose Python cannot serve."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from face_server import interpreter

SCRIPT = Path(__file__).parents[2] / "deploy" / "environment.sh"

REAL = Path(sys.base_prefix) / "bin" / f"python{interpreter.version()}"

# As a 3.13 would: it makes environments, and its answer to everything else is no.
UNFIT = f"""#!/bin/sh
[ "$1" = -m ] && exec {REAL} "$@"
echo is cpython 3.13, and the server runs on others
exit 1
"""


def program(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def machine(tmp_path):
    """Its environment variables: a home with nothing in it, and a PATH with no Python but one that is unfit."""
    programs = tmp_path / "programs"
    program(programs, "python3", UNFIT)
    for name in ("cat", "dirname", "id", "mktemp", "rm", "sed", "sh", "tail", "uname"):
        (programs / name).symlink_to(shutil.which(name))
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTPS_"))}
    return {**kept, "HOME": str(tmp_path), "PATH": str(programs)}


def make(folder, environment, *python):
    folder.mkdir(exist_ok=True)
    return subprocess.run([SCRIPT, ".venv", *python], cwd=folder, env=environment, capture_output=True, text=True)


def sentence(done, folder):
    assert done.returncode != 0
    assert not (folder / ".venv").exists()
    return done.stderr.splitlines()[-1]


def test_another_kind_of_machine_is_told_at_once_what_works_there(machine, tmp_path):
    program(tmp_path / "programs" / "arm", "uname", '#!/bin/sh\n[ "$1" = -s ] && echo Linux || echo aarch64\n')
    machine["PATH"] = f"{tmp_path / 'programs' / 'arm'}:{machine['PATH']}"
    assert "this is Linux aarch64; what runs here is the client" in sentence(
        make(tmp_path / "clone", machine), tmp_path / "clone"
    )


@pytest.mark.parametrize(
    ("python", "words"),
    [("python3", "PYTHON=python3 is cpython 3.13"), ("python2", "PYTHON=python2 is no program")],
)
def test_a_given_python_that_cannot_serve_leaves_nothing_behind(python, words, machine, tmp_path):
    assert words in sentence(make(tmp_path / "clone", machine, python), tmp_path / "clone")


@pytest.mark.slow
def test_a_python_that_pyenv_keeps_is_taken_in_place_of_an_environment_that_cannot_serve(machine, tmp_path):
    clone = tmp_path / "clone of Jörg"
    program(clone, "unfit", UNFIT)
    (clone / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "pip"):
        shutil.copy(clone / "unfit", clone / ".venv" / "bin" / name)
    kept = tmp_path / ".pyenv" / "versions" / "3.12.0" / "bin"
    kept.mkdir(parents=True)
    (kept / "python3").symlink_to(REAL)
    done = make(clone, machine)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"Python for .venv: {kept / 'python3'}\n"
    subprocess.run([clone / ".venv" / "bin" / "python", interpreter.__file__], check=True)
    before = (clone / ".venv" / "pyvenv.cfg").stat()
    assert make(clone, machine).stderr == ""
    assert (clone / ".venv" / "pyvenv.cfg").stat() == before


@pytest.mark.slow
def test_uv_finds_a_python_that_nobody_else_finds(machine, tmp_path):
    # Where uv looks, and we do not: a virtual environment that is active.
    subprocess.run([REAL, "-m", "venv", "--without-pip", tmp_path / "active"], check=True)
    done = make(tmp_path / "clone", {**machine, "VIRTUAL_ENV": str(tmp_path / "active")})
    assert done.returncode == 0, done.stderr
    said, python = done.stderr.splitlines()
    assert said.startswith("No Python here can serve (python3 is cpython 3.13")
    assert "uv finds or fetches CPython 3.12" in said
    assert python == f"Python for .venv: {tmp_path / 'active' / 'bin' / 'python'}"
    subprocess.run([tmp_path / "clone" / ".venv" / "bin" / "python", interpreter.__file__], check=True)
    # The second time uv is there already; now it finds nothing, and has no network.
    shutil.rmtree(tmp_path / "clone" / ".venv")
    why = sentence(make(tmp_path / "clone", {**machine, "UV_OFFLINE": "1"}), tmp_path / "clone")
    assert why.startswith("uv could not provide CPython 3.12 (Network connectivity is disabled")
    assert "make PYTHON=/path/to/python3.12" in why


@pytest.mark.slow
def test_without_uv_and_without_network(machine, tmp_path):
    why = sentence(make(tmp_path / "clone", {**machine, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}), tmp_path / "clone")
    assert why.startswith("uv could not provide CPython 3.12 (No matching distribution found for uv==")
