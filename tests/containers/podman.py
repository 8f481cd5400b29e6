"""Podman as these tests use it, and the compose tool on its socket."""

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.containers import ROOT

STARTING = 240.0
"""Seconds in which a server is healthy at last, on a small machine that does other things too."""

# Without CAP_SYS_RESOURCE nobody can be given more than this process has, which is what podman asks for.
_LIMITS = [
    f"{name}={limit}:{limit}"
    for name, kind, enough in (("nofile", resource.RLIMIT_NOFILE, 8192), ("nproc", resource.RLIMIT_NPROC, 4096))
    for hard in [resource.getrlimit(kind)[1]]
    for limit in [enough if hard == resource.RLIM_INFINITY else min(hard, enough)]
]

# Where both versions of control groups are mounted, crun refuses to work.
_HYBRID = Path("/sys/fs/cgroup/unified")


class Podman:
    """Runs `podman …`; says what it said where it fails."""

    def __init__(self, folder: Path) -> None:
        settings = folder / "containers.conf"
        # netavark and its aardvark-dns give containers a network of their own in which they find each other by name.
        settings.write_text(
            f"[containers]\ndefault_ulimits = {json.dumps(_LIMITS)}\n"
            f'[network]\nnetwork_backend = "netavark"\n'
            + ('[engine]\nruntime = "runc"\n' if _HYBRID.is_dir() or not shutil.which("crun") else "")
        )
        self.environment = {**os.environ, "CONTAINERS_CONF": str(settings)}
        self.folder = folder

    def __call__(self, *arguments: str | Path, timeout: float = 120) -> str:
        """Its standard output."""
        return run(["podman", *arguments], self.environment, timeout)

    def succeeds(self, *arguments: str | Path, timeout: float = 120) -> bool:
        command = ["podman", *map(str, arguments)]
        try:
            return not subprocess.run(command, env=self.environment, capture_output=True, timeout=timeout).returncode
        except subprocess.TimeoutExpired:
            return False

    def healthy(self, container: str) -> bool:
        """By the check of docker-compose.yml, asked here: podman has systemd ask, which not all machines run."""
        return self.succeeds("healthcheck", "run", container)

    def inspect(self, name: str) -> dict:
        (found,) = json.loads(self("container", "inspect", name))
        return found

    @contextmanager
    def service(self) -> Iterator[str]:
        """Docker's API, on a socket: its address."""
        socket = self.folder / "podman.sock"
        address = f"unix://{socket}"
        with (self.folder / "service.log").open("wb") as log:
            process = subprocess.Popen(
                ["podman", "system", "service", "--time=0", address], env=self.environment, stdout=log, stderr=log
            )
        try:
            wait_until(socket.exists, 20, "podman's service on its socket")
            yield address
        finally:
            process.terminate()
            process.wait(20)


class Compose:
    """docker-compose.yml under a project's name of its own: `compose("up", "--detach", "triton-cpu")`."""

    def __init__(self, podman: Podman, address: str, project: str, variables: Mapping[str, str], *files: Path) -> None:
        self._podman = podman
        tool = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        chosen = [word for file in (ROOT / "docker-compose.yml", *files) for word in ("--file", str(file))]
        self._command = [*tool, "--project-name", project, "--project-directory", str(ROOT), *chosen]
        self.environment = {**podman.environment, **variables, "DOCKER_HOST": address}

    def __call__(self, *arguments: str, timeout: float = 300) -> str:
        return run([*self._command, *arguments], self.environment, timeout)

    def container(self, service: str) -> str:
        """The name of a service's only container, running or not."""
        identifier = self("ps", "--quiet", service).strip()
        return self._podman.inspect(identifier)["Name"]


def run(command: list, environment: Mapping[str, str], timeout: float) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=timeout)
    assert not done.returncode, (
        f"{' '.join(words)}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    )
    return done.stdout


def mounts(*volumes: str) -> list[str]:
    """Options that mount volumes, "SOURCE:TARGET" or "SOURCE:TARGET:ro"."""
    return [f"--volume={volume}" for volume in volumes]


def wait_until(holds, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.3)
