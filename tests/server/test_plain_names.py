"""What the models' processes find where an environment's own name is nothing that they can read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from face_server.plain_names import is_plain, python_directory


@pytest.mark.parametrize(
    ("path", "plain"), [("/srv/models-1.0_a", True), ("/mö", False), ("/a b", False), ("/it's", False)]
)
def test_what_is_plain(path, plain):
    assert is_plain(path) is plain


def test_a_plain_environment_is_taken_as_it_is(tmp_path):
    assert python_directory(tmp_path) == Path(sys.prefix) / "bin"
    assert list(tmp_path.iterdir()) == []


def test_a_copy_finds_the_same_by_plain_names(tmp_path, monkeypatch):
    elsewhere, workplace = tmp_path / "mö del's", tmp_path / "workplace"
    elsewhere.mkdir()
    (elsewhere / "of_a_caller.py").touch()
    workplace.mkdir()
    monkeypatch.syspath_prepend(elsewhere)
    script = "import face_runtime, numpy, of_a_caller as c; print(face_runtime.__file__, numpy.__file__, c.__file__)"
    python = python_directory(workplace) / "python3"
    # The models' processes have no other Python's variables.
    environment = {"PATH": os.environ["PATH"]}
    found = subprocess.run([python, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert all(path.startswith(str(workplace)) for path in found.stdout.split())
