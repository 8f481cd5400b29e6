"""Builds the images, on the published base where it can be had and on Debian's own Python elsewhere."""

import ast
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from tests.containers.podman import Podman, mounts
from tests.deploy.containers import ROOT, SERVICES, dockerfile

TAG = SERVICES["exporter"]["image"].partition(":")[2]
_DEBIAN_BASE = "localhost/triton-faces-base:bookworm"
_DEBIAN_PROMETHEUS = "localhost/triton-faces-prometheus:bookworm"
# What python:3.11-slim-bookworm has of Debian, and wget for the health check of Prometheus.
_DEBIAN_PACKAGES = "python3-pip,libpython3.11,ca-certificates,wget"


def image(target: str) -> str:
    return f"localhost/triton-faces-{target}:{TAG}"


def build(podman: Podman, targets: list[str]) -> None:
    """Each target of the Dockerfile, as docker-compose.yml names it; what was built before is taken from the cache.

    The first one alone, since it makes the layers that others share; then two at a time.
    """
    options = ["--network=host", "--build-arg", f"PYTHON_IMAGE={_base(podman)}", *_pip_settings(podman.folder)]

    def make(target: str) -> None:
        podman("build", *options, "--target", target, "--tag", image(target), ROOT, timeout=900)

    first, *others = targets
    make(first)
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(make, others):
            pass


@cache
def _base(podman: Podman) -> str:
    (published,) = [rest.partition("=")[2] for kind, rest in dockerfile() if kind == "ARG" and "PYTHON_IMAGE" in rest]
    published = f"docker.io/library/{published}"
    if _can_be_had(podman, published):
        return published
    if not podman.succeeds("image", "exists", _DEBIAN_BASE):
        _import_debian(podman)
    return _DEBIAN_BASE


def _can_be_had(podman: Podman, published: str) -> bool:
    """It is here, or comes from its registry."""
    return podman.succeeds("image", "exists", published) or podman.succeeds("pull", "--quiet", published, timeout=300)


def _import_debian(podman: Podman) -> None:
    """A Debian of the same release with its own Python 3.11, made of its packages."""
    assert shutil.which("mmdebstrap"), "python's published image cannot be had, and without mmdebstrap none is made"
    archive = podman.folder / "debian.tar"
    # pip may install beside Debian's own packages: nobody else manages this Python.
    unlock = 'rm "$1"/usr/lib/python3*/EXTERNALLY-MANAGED'
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale")]
    # It is thrown away where it is not whole.
    left_out.append("--dpkgopt=force-unsafe-io")
    command = ["mmdebstrap", "--variant=minbase", f"--include={_DEBIAN_PACKAGES}", *left_out]
    subprocess.run([*command, f"--customize-hook={unlock}", "bookworm", archive], check=True, timeout=600)
    podman("import", archive, _DEBIAN_BASE)
    archive.unlink()


def prometheus(podman: Podman) -> str:
    """The published image, or one of Debian's package as this machine has it."""
    published = f"docker.io/{SERVICES['prometheus']['image']}"
    if _can_be_had(podman, published):
        return published
    context = podman.folder / "prometheus"
    context.mkdir()
    shutil.copy(shutil.which("prometheus"), context)
    (context / "Dockerfile").write_text(
        f"FROM {_base(podman)}\nCOPY prometheus /bin/\nRUN install -d -o 65534 -g 65534 /prometheus\n"
        'ENTRYPOINT ["/bin/prometheus"]\n'
    )
    podman("build", "--tag", _DEBIAN_PROMETHEUS, context, timeout=300)
    return _DEBIAN_PROMETHEUS


def _pip_settings(folder: Path) -> list[str]:
    """Options that give builds this machine's settings of pip, and the files and folders that they name."""
    settings, places = {}, set()
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    # What the environment says comes last there, as pip has it.
    for name, value in re.findall(r"^(?::env:|global|install)\.([\w-]+)=(.*)$", listed.stdout, re.MULTILINE):
        settings[name] = ast.literal_eval(value)
        for word in settings[name].split():
            if word.startswith("file:"):
                # An index links to files that lie beside it.
                places.add(Path(urlsplit(word).path).parent)
            elif word.startswith("/"):
                places.add(Path(word))
    file = folder / "pip.conf"
    file.write_text("\n".join(["[global]", *(f"{name} = {value}" for name, value in settings.items())]))
    return mounts(f"{file}:/etc/pip.conf:ro", *(f"{place}:{place}:ro" for place in sorted(places) if place.exists()))
