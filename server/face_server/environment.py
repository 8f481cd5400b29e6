"""The environment that the embedded server and its stubs run in."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from face_runtime.settings import NETWORKS_VARIABLE, cores
from face_server.wheel import TritonWheel, libpython_directories

# With glibc's defaults half of the CPU time of a torch stub is page faults: every large temporary is mapped anew
# and given back. One arena, nothing mapped, nothing given back: a PNet pass fell from 150-250 ms to 61-75 ms.
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
}

# OpenMP's threads spin while they wait for one another. Where cores are shared, and with the cascade they always are,
# that takes the time of whoever they wait for: on two busy cores FaceNet took 90 to 360 ms of processor time a face,
# and 28 ms when its threads slept instead.
OPENMP = {"OMP_WAIT_POLICY": "passive"}

ADMIN_KEY_VARIABLE = "TRITON_FACES_ADMIN_KEY"
"""The key that opens the restricted protocols of a server; unset, `faces serve` makes one up and tells nobody."""


def server_environment(
    wheel: TritonWheel,
    base: Mapping[str, str],
    threads: int | None,
    networks: str | None,
    more: Mapping[str, str | None] | None = None,
) -> dict[str, str]:
    """Environment of tritonserver, from `base`; settings of the caller's own environment win.

    more: variables that win over all, unless None.
    """
    environment = {**MALLOC, **OPENMP, "OMP_NUM_THREADS": str(threads or cores()), **base}
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    if networks is not None:
        environment[NETWORKS_VARIABLE] = networks
    environment.update({name: value for name, value in (more or {}).items() if value is not None})
    libraries = [*libpython_directories(), wheel.libraries]
    environment["LD_LIBRARY_PATH"] = _joined(libraries, base.get("LD_LIBRARY_PATH"))
    # The stub takes the site-packages of the first python3 on PATH, and ignores PYTHONPATH.
    # Models have no use for it.
    environment.pop(ADMIN_KEY_VARIABLE, None)
    environment["PATH"] = _joined([Path(sys.prefix) / "bin"], base.get("PATH"))
    return environment


def _joined(first: list[Path], rest: str | None) -> str:
    return os.pathsep.join([*map(str, first), *([rest] if rest else [])])
