"""The examples in client/examples, each built in a folder of its own with what this machine has.

A builder skips, by name and reason, where a toolchain or a package is missing; what fails beyond that is a failure.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "client" / "examples"
_GO_SOURCES = Path("/usr/share/gocode/src")
# npm's words for a registry that it cannot reach.
_UNREACHABLE = re.compile(r"\b(ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)\b")


def build_python(_folder, _protos):
    return [sys.executable, EXAMPLES / "python" / "detect.py"]


def build_http(_folder, _protos):
    _need("bash", "curl")
    return [EXAMPLES / "http" / "detect.sh"]


def build_node(folder, protos):
    _need("node", "npm")
    copy = shutil.copytree(EXAMPLES / "node", folder / "node", ignore=shutil.ignore_patterns("node_modules"))
    install = _run("npm", "ci", "--ignore-scripts", cwd=copy)
    if install.returncode and _UNREACHABLE.search(install.stderr):
        pytest.skip(f"npm cannot reach its registry: {install.stderr.splitlines()[0]}")
    assert install.returncode == 0, install.stderr
    return ["node", copy / "detect.js", "--protos", protos]


def build_cpp(folder, protos):
    _need("cmake", "make", "c++", "protoc", "grpc_cpp_plugin", "pkg-config")
    for package in ("grpc++", "protobuf", "nlohmann_json"):
        if _run("pkg-config", "--exists", package).returncode:
            pytest.skip(f"{package} is not installed with its headers")
    # Half the time of an optimised build.
    _succeed("cmake", "-S", EXAMPLES / "cpp", "-B", folder, f"-DPROTOS={protos}", "-DCMAKE_BUILD_TYPE=Debug")
    _succeed("cmake", "--build", folder, "--parallel", "2")
    return [folder / "detect"]


def build_go(folder, protos):
    _need("go", "make", "protoc", "protoc-gen-go", "protoc-gen-go-grpc")
    for package in ("google.golang.org/grpc", "google.golang.org/protobuf"):
        if not (_GO_SOURCES / package).is_dir():
            pytest.skip(f"the Go package {package} is not in {_GO_SOURCES}")
    return _make("go", folder, protos)


def build_java(folder, protos):
    _need("java", "javac", "make", "protoc", "grpc_java_plugin")
    jars = _succeed("make", "--silent", "-C", EXAMPLES / "java", "jars").stdout.split()
    missing = [jar for jar in jars if not Path(jar).exists()]
    if missing:
        pytest.skip(f"Java archives are missing: {' '.join(missing)}")
    return _make("java", folder, protos)


BUILDERS = {
    "python": build_python,
    "node": build_node,
    "cpp": build_cpp,
    "go": build_go,
    "java": build_java,
    "http": build_http,
}


def _make(language, folder, protos):
    _succeed("make", "-C", EXAMPLES / language, f"OUT={folder}", f"PROTOS={protos}")
    return [folder / "detect"]


def _need(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)}")


def _run(*command, cwd=None):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def _succeed(*command):
    done = _run(*command)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done
