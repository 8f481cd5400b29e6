"""The thin client is thin: what it imports is what it installs."""

import ast
import sys
from pathlib import Path

import pytest

import face_client

PACKAGE = Path(face_client.__file__).parent

DEPENDENCIES = {"face_client", "face_pictures", "grpc", "numpy", "PIL", "tritonclient"}

# Loaded by a program that traces, never by the client; and for annotations only.
NOT_AT_RUN_TIME = {("wire.py", "opentelemetry"), ("client.py", "typing_extensions")}

# "": all but the stand-ins.
ALSO = {"": set(), "facenet_pytorch": {"torch", "cv2"}, "mtcnn": set()}


@pytest.mark.parametrize("folder", ALSO)
def test_nothing_but_its_dependencies_is_imported(folder):
    known = DEPENDENCIES | ALSO[folder] | sys.stdlib_module_names
    paths = [path for path in PACKAGE.rglob("*.py") if folder_of(path) == folder]
    assert paths
    imported = {(path.name, root) for path in paths for root in roots(path)}
    assert {pair for pair in imported if pair[1] not in known} <= NOT_AT_RUN_TIME


def folder_of(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first if first in ALSO else ""


def roots(path):
    """The packages that a module names in imports, wherever these stand."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module.partition(".")[0]
