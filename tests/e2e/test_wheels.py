"""The three distributions as wheels, far from any checkout, in folders whose names Triton itself cannot read."""

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from face_repository.laying_out import PATTERNS
from tests.pictures import DATA

ROOT = Path(__file__).parents[2]

SOURCES = ("batch", "cascade", "client", "export", "gallery", "model_repository", "server", "tools", "training")
FILES = ("LICENSE", "README.md", "pyproject.toml", "setup.py")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "mö del's"
    made.mkdir()
    return made


@pytest.fixture
def binaries(folder):
    """Of an environment with our wheels, which borrows everything else from the one that runs this."""
    source = folder.parent / "source"
    # Copies: building in the source tree would leave files there.
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("*.egg-info", "build", "configs"))
    for name in FILES:
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheels = folder.parent / "wheels"
    folders = (source / "client", source / "gallery", source / "tools", source)
    subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, *folders], check=True)
    shutil.rmtree(source)
    environment = folder / "env"
    venv.create(environment)
    python = environment / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", "--quiet", "--no-deps", *wheels.glob("*.whl")], check=True)
    (site,) = (environment / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return environment / "bin"


def test_export_and_serve_without_a_checkout(binaries, folder):
    work = folder / "work"
    work.mkdir()

    def run(*command):
        # Where Triton keeps what it needs while it runs, too.
        environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)}
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run(binaries / "python", "-c", "import face_repository, face_server; print(face_server.__file__)")
    assert where.startswith(str(binaries.parent))
    run(binaries / "faces", "export", "--facenet", "none", "--repository", "new öne")
    laid_out = {str(file.relative_to(work / "new öne")) for name in PATTERNS for file in work.glob(f"*/{name}")}
    assert laid_out == {
        str(file.relative_to(ROOT / "model_repository"))
        for name in PATTERNS
        for file in (ROOT / "model_repository").glob(name)
    }
    photo = shutil.copy(DATA / "astronaut.png", work / "ä photo.png")
    # Compiled code of a new environment has been kept nowhere yet.
    serve = (binaries / "faces", "serve", "--any-ports", "--start-timeout", "400", "--quiet", "--repository", "new öne")
    commands = 'faces detect "$1" --json && faces doctor --repository "$2" --json'
    told = run(*serve, "--", "sh", "-c", commands, "sh", photo.name, "new öne")
    answer, found = map(json.loads, told.splitlines())
    assert [round(value, 1) for value in answer["faces"][0]["box"]] == [181.1, 62.2, 267.7, 172.1]
    assert found["serves"] is True
    assert "answered a small picture" in found["checks"][-1]["found"]
    assert {file.name for file in folder.iterdir()} == {"env", "work"}, "nothing is left of the server"
