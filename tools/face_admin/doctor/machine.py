"""The machine: what runs, what is installed, what there is of memory, processor and GPU. Each look stands alone."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from face_admin.doctor.finding import BAD, GOOD, NOTE, Finding, bad_if

_OURS = ("triton-faces", "triton-faces-client", "triton-faces-gallery", "triton-faces-tools")
_PACKAGES = {
    "nvidia-pytriton": "0.7.0",
    "numpy": "",
    "numba": "",
    "opencv-python-headless": "",
    "tritonclient": "",
    "torch": "",
    "mtcnn": "",
    "psutil": "",
}
"""What `faces export` and `faces serve` need, and the only release that will do where it is one."""

_MIB = 2**20
# Seven processes of models with 16 MiB each, and room for one raw picture of the largest size.
_SHARED_MEMORY = (7 * 16 * _MIB, 512 * _MIB)
# At rest the server takes 0.8 GB, and under load some times as much (docs/deployment.md).
_MEMORY = (900 * _MIB, 4096 * _MIB)
_TEMPORARY = 64 * _MIB

# Of the environment: these may be shown. Others are named only, for their values are nobody's business.
_SHOWN = (
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "TRITON_FACES_ENGINE",
    "TRITON_FACES_NETWORKS",
    "TRITON_FACES_DECODE",
)
_NAMED = ("LD_LIBRARY_PATH", "LD_PRELOAD", "NUMBA_DISABLE_JIT", "PYTHONHOME", "PYTHONPATH")


def system() -> Finding:
    names = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    machine = f"{platform.system()} {platform.machine()}"
    found = f"{machine}, {names.get('PRETTY_NAME', 'unknown distribution')}, kernel {platform.release()}"
    advice = "the server runs on Linux x86-64 only; the client runs here, with --url of a server elsewhere"
    return bad_if(machine != "Linux x86_64", "system", found, advice)


def interpreter() -> Iterator[Finding]:
    from face_server import interpreter

    found = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    wrong = interpreter.wrong_version()
    yield bad_if(bool(wrong), "interpreter", found, f"it {wrong}: make a new environment with `make env`")
    missing = interpreter.missing_library()
    directories = interpreter.library_directories()
    where = "found by the system" if not directories else f"in {directories[0]}"
    yield bad_if(bool(missing), "libpython", f"{interpreter.library()} {'' if missing else where}".rstrip(), missing)


def packages() -> Iterator[Finding]:
    found = {name: _version(name) for name in (*_OURS, *_PACKAGES)}
    told = ", ".join(f"{name} {version or 'absent'}" for name, version in found.items())
    wrong = [name for name, only in _PACKAGES.items() if not found[name] or (only and found[name] != only)]
    yield bad_if(
        bool(wrong), "packages", told, f"{', '.join(wrong)}: {_how_to_install('embedded')}, or `make env` in a checkout"
    )
    numpy = found["numpy"]
    if numpy and not numpy.startswith("1."):
        yield Finding("NumPy", BAD, numpy, "NumPy 2 corrupts tensors under this Triton: pip install 'numpy<2'")


def triton() -> Finding:
    from face_server.errors import SetupError
    from face_server.wheel import TritonWheel

    try:
        wheel = TritonWheel.find()
        stub = wheel.stub
    except SetupError as error:
        return Finding("Triton", BAD, "not whole", str(error))
    runs = os.access(wheel.executable, os.X_OK) and os.access(stub, os.X_OK)
    found = f"tritonserver in {wheel.root}, with the stub of Python {stub.parent.name}"
    return bad_if(not runs, "Triton", found, "its programs may not be executed: is the file system mounted noexec?")


def shared_memory() -> Finding:
    return _space("shared memory", Path("/dev/shm"), _SHARED_MEMORY, "docker run --shm-size, or mount -o remount,size=")


def temporary_folder() -> Finding:
    from face_server.ending import temporary_directory

    folder = Path(temporary_directory())
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return Finding(
            "temporary folder", BAD, f"{folder}, mounted noexec", "name another in TMPDIR: programs run there"
        )
    return _space("temporary folder", folder, (_TEMPORARY, _TEMPORARY), "name another in TMPDIR")


def _space(check: str, folder: Path, needed: tuple[int, int], advice: str) -> Finding:
    if not os.access(folder, os.W_OK):
        return Finding(check, BAD, f"{folder} is not there, or cannot be written", advice)
    free = shutil.disk_usage(folder).free
    return _amount(check, f"{folder}, {_size(free)} free", free, needed, advice)


def memory() -> Finding:
    import psutil

    there = psutil.virtual_memory()
    total, available = there.total, there.available
    limit = Path("/sys/fs/cgroup/memory.max")
    told = limit.read_text().strip() if limit.exists() else "max"
    if told.isdigit():
        total, available = min(total, int(told)), min(available, int(told))
    return _amount("memory", f"{_size(available)} of {_size(total)} free", available, _MEMORY, "end what takes it")


def _amount(check: str, found: str, amount: int, needed: tuple[int, int], advice: str) -> Finding:
    """needed: bytes without which no server starts, and with which it has room for large pictures."""
    enough = next((status for status, least in zip((BAD, NOTE), needed, strict=True) if amount < least), GOOD)
    wanted = needed[0] if enough == BAD else needed[1]
    return Finding(check, enough, found, "" if enough == GOOD else f"{_size(wanted)} are wanted: {advice}")


def processor() -> Finding:
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    bits = next((n for name, n in (("avx512f", 512), ("avx2", 256)) if features.get(name)), 128)
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    found = f"{model[1] if model else 'unknown'}, {len(os.sched_getaffinity(0))} cores, vectors of {bits} bits"
    return bad_if(bits < 256, "processor", found, "without AVX2 the networks take several times as long", NOTE)


def gpu() -> Finding:
    from face_server.gpu import gpu_count

    count = gpu_count()
    if not count:
        has_device = Path("/dev/nvidia0").exists() or bool(shutil.which("nvidia-smi"))
        advice = (
            "there is a device, but CUDA's driver does not see it: is CUDA_VISIBLE_DEVICES empty, the driver loaded?"
        )
        return bad_if(has_device, "GPU", "none: the processor computes", advice, NOTE)
    version = Path("/proc/driver/nvidia/version")
    driver = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", version.read_text() if version.exists() else "")
    jpeg = _version("nvidia-nvimgcodec-cu13")
    found = f"{count}, driver {driver[0] if driver else 'unknown'}, nvimgcodec {jpeg or 'absent'}"
    advice = f"to keep images on the GPU: {_how_to_install('gpu')} (docs/gpu.md)"
    return bad_if(not jpeg or not _version("triton"), "GPU", found, advice, NOTE)


def variables() -> Finding:
    names = sorted(n for n in os.environ if n.startswith(("TRITON_FACES_", "MALLOC_")) or n in (*_SHOWN, *_NAMED))
    told = [f"{name}={os.environ[name]}" if name in _SHOWN else name for name in names]
    return Finding("variables", GOOD, ", ".join(told) or "none that matter")


def _how_to_install(extra: str) -> str:
    from face_client.extras import how_to_install

    return how_to_install("triton-faces", extra)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / _MIB:.0f} MiB"
