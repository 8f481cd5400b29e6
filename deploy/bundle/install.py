"""Installs the bundle beside this file, without network: `install.sh DIR [PYTHON] [--tree CHECKOUT]`.

Makes DIR/venv over the Python that runs this: what that has can be imported, what the bundle brings wins over it. Then
DIR/check measures the machine, DIR/venv/bin/tune finds its best setting, and DIR/venv/bin/faces is the command. Needs
nothing but the standard library.
"""

import argparse
import ctypes
import hashlib
import io
import json
import lzma
import os
import shutil
import site
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

PACKAGES = ("batch", "cascade", "client", "export", "server", "tools", "training", "load_tests")
"""Folders of the checkout that hold packages."""

NEEDED = (
    *("cv2", "google.protobuf", "grpc", "joblib", "ml_dtypes", "numba", "numpy", "nvidia.nvimgcodec", "PIL"),
    "prometheus_client",
    *(
        "psutil",
        "pynvml",
        "rapidjson",
        "requests",
        "rich",
        "torch",
        "tqdm",
        "triton",
        "tritonclient.grpc",
        "facenet_pytorch",
    ),
)
"""What the service and its check import of other people's."""

_REPORT = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
    except Exception as error:
        print(f"missing: {name} cannot be imported ({type(error).__name__}: {error})")
    else:
        print(f"{name} {getattr(module, '__version__', '')}")
torch = sys.modules.get("torch")
if torch:
    print(f"GPU: {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "missing: torch sees no GPU")
"""


def main() -> int:
    parser = argparse.ArgumentParser("install.sh", description=__doc__, allow_abbrev=False)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--tree", type=Path, help="a checkout whose code is to run, instead of the bundle's")
    args = parser.parse_args()
    manifest = json.loads((HERE / "manifest.json").read_text())
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running != manifest["python"]:
        print(f"missing: the bundle is for Python {manifest['python']}, {sys.executable} is {running}", file=sys.stderr)
        return 1
    try:
        install(args.dir.resolve(), args.tree and args.tree.resolve(), manifest)
    except (OSError, ValueError, subprocess.SubprocessError, lzma.LZMAError, tarfile.TarError) as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    return 0


def install(target: Path, tree: "Path | None", manifest: dict) -> None:
    shutil.rmtree(target / "venv", ignore_errors=True)
    with lzma.open(io.BytesIO(read_parts(manifest))) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        tar.extractall(target, filter="tar")
    # Without pip: Debian's Python cannot bring it, and nothing needs it.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(target / "venv")], check=True)
    python = target / "venv" / "bin" / "python"
    packages = target / "venv" / "lib" / f"python{manifest['python']}" / "site-packages"
    shutil.copytree(target / "site", packages, dirs_exist_ok=True)
    shutil.rmtree(target / "site")
    if tree:
        take_networks(target / "tree", tree)
    tree = tree or target / "tree"
    lines = [str(tree / name) for name in PACKAGES]
    # After the bundle's own: its NumPy must win. Their .pth files count too.
    lines += [f"import site; site.addsitedir({folder!r})" for folder in site.getsitepackages()]
    library = libpython(target / "python")
    if library == target / "python":
        lines.append(str(target / "python" / "lib-dynload"))
    (packages / "bundle.pth").write_text("\n".join(lines) + "\n")
    exports = f'export LD_LIBRARY_PATH="{library}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"\n' if library else ""
    exports += "unset PYTHONPATH PYTHONHOME\n"
    command = "import sys; from face_command.main import main; sys.exit(main())"
    write_program(target / "venv" / "bin" / "faces", f'{exports}exec "{python}" -c "{command}" "$@"\n')
    check = f'-m face_bench.gpu --photos "{target / "photos"}"'
    write_program(target / "check", f'{exports}exec "{python}" {check} "$@"\n')
    write_program(target / "venv" / "bin" / "tune", f'{exports}exec "{python}" -m face_bench.tune "$@"\n')
    report(python, target, tree, library or "found without being told")


def read_parts(manifest: dict) -> bytes:
    """The archive. Raises ValueError where a part is not what was packed."""
    data = b""
    for part in manifest["parts"]:
        file = HERE / part["name"]
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != part["sha256"]:
            raise ValueError(f"{file} is damaged: carry it again")
        data += content
    return data


def take_networks(bundled: Path, tree: Path) -> None:
    """Gives a checkout the exported networks that it lacks."""
    for file in (bundled / "model_repository").glob("*/*/model.pt"):
        goal = tree / file.relative_to(bundled)
        if not goal.exists():
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, goal)


def libpython(carried: Path) -> "Path | None":
    """The folder of the library that Triton's stub links; None where it is found without being told."""
    name = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    own = Path(sysconfig.get_config_var("LIBDIR") or "") / name
    if own.exists():
        return None
    try:
        ctypes.CDLL(name, mode=os.RTLD_LAZY | os.RTLD_LOCAL)
    except OSError:
        if (carried / name).exists():
            return carried
        print(f"missing: {name}, which Triton's Python backend links; neither this machine nor the bundle has it")
        return None
    # It may have been found only because this very program links it, from a place that others do not search.
    files = (line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(name))
    return next((Path(file).parent for file in files), None)


def write_program(path: Path, text: str) -> None:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def report(python: Path, target: Path, tree: Path, library: "Path | str") -> None:
    """What there is and what is missing, each in a line."""
    print(f"Python {sys.version.split()[0]}, libpython: {library}")
    print(f"/dev/shm: {shutil.disk_usage('/dev/shm').free / 2**20:.0f} MiB free; Triton wants 200 and more")
    print(f"code: {tree}", flush=True)
    subprocess.run([str(python), "-c", _REPORT, *NEEDED], check=False)
    print(f"check this machine: {target / 'check'} --device cuda", flush=True)


if __name__ == "__main__":
    sys.exit(main())
