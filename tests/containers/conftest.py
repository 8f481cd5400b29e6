"""The images, built; the models, exported once into a volume; docker-compose.yml, under any variables."""

import os
import shutil
import sys
from contextlib import contextmanager

import pytest

from face_server.ports import free_ports
from tests.containers import images
from tests.containers.podman import Compose, Podman

PORTS = ("HTTP", "GRPC", "METRICS", "HEALTH", "PROMETHEUS", "LOCUST", "PAGE")


@pytest.fixture(scope="session")
def podman(tmp_path_factory):
    for needed in ("podman", "prometheus"):
        assert shutil.which(needed), f"{needed} is missing: .ci/packages installs what these tests need, as root"
    return Podman(tmp_path_factory.mktemp("podman"))


@pytest.fixture(scope="session")
def socket(podman):
    """The address of Docker's API."""
    with podman.service() as address:
        yield address


@pytest.fixture(scope="session")
def built(podman):
    """All images that need no GPU, by target of the Dockerfile, and Prometheus'."""
    targets = ["cpu", "batch", "page", "load", "exporter"]
    images.build(podman, targets)
    return {target: images.image(target) for target in targets} | {"prometheus": images.prometheus(podman)}


@pytest.fixture(scope="module")
def stack(podman, socket, built, tmp_path_factory):
    """Starts services of docker-compose.yml with variables, and takes all of it away at the end."""
    folder = tmp_path_factory.mktemp("compose")
    override = folder / "images.yml"
    override.write_text(f"services:\n  prometheus:\n    image: {built['prometheus']}\n")

    @contextmanager
    def start(*services, **variables):
        ports = free_ports(("127.0.0.1",) * len(PORTS), (0,) * len(PORTS))
        given = {f"TRITON_FACES_{name}_PORT": str(port) for name, port in zip(PORTS, ports, strict=True)}
        compose = Compose(podman, socket, f"faces-{os.getpid()}", {**given, **variables}, override)
        try:
            compose("up", "--detach", "--no-build", *services)
            yield compose
        finally:
            try:
                for service in services:
                    said = compose("logs", "--tail", "100", "--no-color", service)
                    print(f"--- {service}\n{said[-6000:]}", file=sys.stderr)
            finally:
                compose("down", "--volumes", "--timeout", "50")

    return start
