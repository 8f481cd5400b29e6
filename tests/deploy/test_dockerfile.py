"""The images hold what they need of the repository, and nobody in them is root."""

import re

import pytest

from face_server.environment import MALLOC
from face_server.healthcheck import MODELS_VARIABLE
from face_server.repository import REQUIRED
from tests.deploy.containers import ROOT, copies, dockerfile, environment, stages

PYPROJECT = (ROOT / "pyproject.toml").read_text()


def test_everything_that_is_copied_exists_and_reaches_the_builder():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copies()) == allowed
    assert all((ROOT / source).exists() for source in copies())


def test_packages_find_all_their_sources():
    """setuptools passes over a folder that is not there, and the command line would lack its verbs."""
    folders = re.search(r"^where = \[(.*)\]$", PYPROJECT, re.MULTILINE)[1]
    for target in ("embedded", "triton"):
        copied = {
            source for instruction, rest in stages()[target] if instruction == "COPY" for source in rest.split()[:-1]
        }
        assert set(re.findall(r'"(\w+)"', folders)) | {"client", "pyproject.toml"} <= copied


def test_what_is_installed_stands_in_pyproject():
    extras = set(re.findall(r"^(\w+) = \[", PYPROJECT, re.MULTILINE))
    installed = " ".join(rest for target in stages() for instruction, rest in stages()[target] if instruction == "RUN")
    wanted = {name for names in re.findall(r'"\.\[([\w,]+)\]"', installed) for name in names.split(",")}
    assert wanted
    assert wanted <= extras
    assert {f'"{name}"' for name in re.findall(r'"(locust[^"]*)"', installed)} <= set(re.findall(r'"[^"]+"', PYPROJECT))


def test_images_do_not_run_as_root():
    final = {name: [rest for instruction, rest in body if instruction == "USER"] for name, body in stages().items()}
    assert final == {
        "embedded": ["1000:1000"],
        "exporter": [],
        "cpu": [],
        "triton": ["root", "1000:1000"],
        "load": ["1000:1000"],
    }
    bases = {
        rest.split(" AS ")[1]: rest.split(" AS ")[0] for instruction, rest in dockerfile() if instruction == "FROM"
    }
    assert bases["exporter"] == bases["cpu"] == "embedded"


@pytest.mark.parametrize("argument", ["PYTHON_IMAGE", "TRITON_IMAGE"])
def test_base_images_are_pinned_to_a_release(argument):
    (default,) = [rest.partition("=")[2] for kind, rest in dockerfile() if kind == "ARG" and rest.startswith(argument)]
    assert re.fullmatch(r".+:(\d+\.\d+\.\d+-.+|\d\d\.\d\d-py3)", default)


def test_the_containers_load_the_required_models():
    assert environment("triton")[MODELS_VARIABLE].split() == list(REQUIRED)


def test_malloc_is_set_as_in_the_embedded_server():
    assert MALLOC.items() <= environment("triton").items()
