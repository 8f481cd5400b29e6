"""The images hold what they need of the repository, and nobody in them is root."""

import re
import shlex
import subprocess
import sys
import tomllib

import pytest

from face_repository.layout import REQUIRED
from face_server.healthcheck import MODELS_VARIABLE
from face_server.invocation import MALLOC
from tests.deploy.containers import ROOT, copies, dockerfile, environment, stages

PYPROJECT = (ROOT / "pyproject.toml").read_text()
EXTRAS = tomllib.loads(PYPROJECT)["project"]["optional-dependencies"]


def test_everything_that_is_copied_exists_and_reaches_the_builder():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {source for source in copies() if not any(source.startswith(f"{folder}/") for folder in allowed)} == allowed
    assert all((ROOT / source).exists() for source in copies())


def copied_by(target):
    copied = [rest for instruction, rest in stages()[target] if instruction == "COPY"]
    return {source for rest in copied if not rest.startswith("--from=") for source in rest.split()[:-1]}


def test_packages_find_all_their_sources():
    """setuptools passes over a folder that is not there, and the command line would lack its verbs."""
    folders = re.search(r"^where = \[(.*)\]$", PYPROJECT, re.MULTILINE)[1]
    own = {"client", "gallery", "gateway", "pyproject.toml"}
    assert own | {*re.findall(r'"(\w+)"', folders)} <= copied_by("wheels")


def test_the_gpu_image_has_what_runs_inside_triton_and_neither_export_nor_training():
    sources = {"pyproject.toml", "README.md", "LICENSE", "deploy/container/tritonserver.sh"}
    assert copied_by("triton") == {*sources, "client", "gallery", "cascade", "server", "export/face_repository"}


def test_the_gpu_image_has_what_the_engine_on_a_gpu_needs_with_pyprojects_pins():
    body = stages()["triton"]
    installing = [rest for instruction, rest in body if instruction == "RUN" and "pip install" in rest]
    engine, ours = (set(re.findall(r'"([^" ]+)"', command.partition("&&")[0])) for command in installing)
    (torch,) = [name for name in EXTRAS["embedded"] if name.startswith("torch==")]
    assert engine == {torch, *EXTRAS["gpu"]} - {"triton-faces[embedded]"}
    assert ours == {"./gallery[postgres]", ".[tracing]"}, "neither export nor training, nor a second Triton"
    # Gigabytes that do not change with our sources.
    assert body.index(("RUN", installing[0])) < min(
        n for n, (instruction, _) in enumerate(body) if instruction == "COPY"
    )
    # triton compiles launchers in C.
    (packages,) = [rest for instruction, rest in body if instruction == "RUN" and "apt-get install" in rest]
    assert {"gcc", "libc6-dev", "libpython3-dev"} <= set(packages.split())


def test_compiled_kernels_go_where_the_images_user_alone_may_write():
    place = environment("triton")["TRITON_CACHE_DIR"]
    made = ["install", "--directory", "--owner=1000", "--group=1000", "--mode=700", place]
    assert made in [shlex.split(rest) for instruction, rest in stages()["triton"] if instruction == "RUN"]
    script = "import triton; print(triton.knobs.cache.dir)"
    command = [sys.executable, "-c", script]
    known = subprocess.run(command, env={"TRITON_CACHE_DIR": place}, capture_output=True, text=True, check=True).stdout
    assert known.strip() == place, "triton knows the variable"


def test_what_is_installed_stands_in_pyproject():
    extras = set(re.findall(r"^(\w+) = \[", PYPROJECT, re.MULTILINE))
    installed = " ".join(rest for target in stages() for instruction, rest in stages()[target] if instruction == "RUN")
    wanted = {
        name for names in re.findall(r'"(?:\.|triton-faces)\[([\w,]+)\]"', installed) for name in names.split(",")
    }
    assert {"embedded", "batch", "tracing"} <= wanted <= extras
    assert {f'"{name}"' for name in re.findall(r'"(locust[^"]*)"', installed)} <= set(re.findall(r'"[^"]+"', PYPROJECT))


def test_images_do_not_run_as_root():
    final = {name: [rest for instruction, rest in body if instruction == "USER"] for name, body in stages().items()}
    assert final == {
        "wheels": [],
        "requirements": [],
        "packages": [],
        "embedded": ["1000:1000"],
        "batch": ["1000:1000"],
        "exporter": [],
        "cpu": [],
        "triton": ["root", "1000:1000"],
        "page": ["1000:1000"],
        "load": ["1000:1000"],
    }
    bases = {
        rest.split(" AS ")[1]: rest.split(" AS ")[0] for instruction, rest in dockerfile() if instruction == "FROM"
    }
    assert bases["exporter"] == bases["cpu"] == "embedded"


def requirements(wanted):
    script = ROOT / "deploy" / "container" / "requirements.py"
    command = [sys.executable, str(script), *wanted]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_what_our_packages_need_is_installed_before_them_and_is_not_ours():
    found = requirements(["triton-faces[embedded,tracing]"])
    assert set(EXTRAS["embedded"]) - {"triton-faces-tools[rich]==0.1.0"} <= set(found)
    assert set(EXTRAS["tracing"]) <= set(found)
    client = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())["project"]
    assert {*client["dependencies"], *client["optional-dependencies"]["heif"]} <= set(found)
    assert not [each for each in requirements(["triton-faces[dev]"]) if each.startswith("triton-faces")]
    assert requirements(["locust>=2"]) == ["locust>=2"]


@pytest.mark.parametrize("argument", ["PYTHON_IMAGE", "TRITON_IMAGE"])
def test_base_images_are_pinned_to_a_release(argument):
    (default,) = [rest.partition("=")[2] for kind, rest in dockerfile() if kind == "ARG" and rest.startswith(argument)]
    assert re.fullmatch(r".+:(\d+\.\d+\.\d+-.+|\d\d\.\d\d-py3)", default)


def test_the_containers_load_the_required_models():
    assert environment("triton")[MODELS_VARIABLE].split() == list(REQUIRED)


def test_malloc_is_set_as_in_the_embedded_server():
    assert MALLOC.items() <= environment("triton").items()
