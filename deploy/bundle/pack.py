"""Packs the service for a Linux machine without network that has Python 3.12 and torch: `make bundle`.

What it writes into bundle/ is carried there and installed with `install.sh`:

- part.00 and on: one xz archive, cut where a carrier's limit is. In it `site/`, what the machine's Python lacks;
  `tree/`, this checkout with its exported networks; `python/`, Python's shared library for machines that have none;
  `photos/`.
- manifest.json: size and SHA-256 of each part.

The wheels are those of the versions in this environment, without what a server does not read: tests, type stubs, the
parts of nvidia-pytriton that serve other versions of Python.
"""

import argparse
import hashlib
import json
import lzma
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BUILD = ROOT / "build" / "bundle"

PYTHON = "3.12"
LIBPYTHON = f"libpython{PYTHON}.so.1.0"

PART_BYTES = 55 << 20
MOST_PART_BYTES = 58 << 20
"""What a part may have at most; PART_BYTES leaves room for the checkout beside it."""

WHEELS = ("nvidia-pytriton", "numpy", "tritonclient", "python-rapidjson", "grpcio", "protobuf")
"""In the versions of this environment: tritonclient wants recent ones of the last two. All else that the service
imports comes with a machine made for torch."""

PINNED = ("facenet-pytorch==2.6.0", "nvidia-nvimgcodec-cu13==0.9.0.20", "nvidia-nvjpeg==13.3.2.43")
"""What the check compares with, whose weights of PNet, RNet and ONet lie inside; the decoder of JPEG on a GPU."""

OURS = ("triton-faces", "triton-faces-client", "triton-faces-gallery", "triton-faces-tools")

# Also by the old name of 2_17: pip takes a pure Python wheel rather than one with that name alone.
_PLATFORMS = ("_2_35", "_2_28", "_2_27", "_2_24", "_2_17", "2014")

_PYTRITON = "pytriton/tritonserver"
KEPT = {
    "nvidia-pytriton": (
        "pytriton/__init__.py",
        f"{_PYTRITON}/bin/*",
        f"{_PYTRITON}/backends/*",
        f"{_PYTRITON}/caches/*",
        f"{_PYTRITON}/python_backend_stubs/{PYTHON}/*",
        "nvidia_pytriton.libs/*",
        "*.dist-info/*",
    ),
    "nvidia-nvimgcodec-cu13": (
        "nvidia/__init__.py",
        "nvidia/nvimgcodec/__init__.py",
        f"nvidia/nvimgcodec/*cpython-{PYTHON.replace('.', '')}-*",
        "nvidia/nvimgcodec/libnvimgcodec.so*",
        "nvidia/nvimgcodec/extensions/libnvjpeg_ext*",
        "*.dist-info/*",
    ),
}
"""Of a wheel with a name here, only these files."""

DROPPED = (
    # For the stub of Python 3.13.
    "nvidia_pytriton.libs/libpython3-*",
    "*/tests/*",
    "*.pyi",
    "*.a",
    "numpy/f2py/*",
    "numpy/core/include/*",
    "*/RECORD",
)

TREE = (
    "batch",
    "cascade",
    "client",
    "export",
    "gallery",
    "load_tests",
    "model_repository",
    "server",
    "tools",
    "training",
    "pyproject.toml",
)
_PORTRAIT = "tests/data/astronaut.png"

_FACTS = (
    "import sysconfig as s, sys; print(*sys.version_info[:2], sep='.');"
    "[print(s.get_config_var(n) or '') for n in ('LIBDIR', 'DESTSHARED')]"
)


class PackError(Exception):
    """The bundle cannot be made; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    try:
        parts = pack(args.out, args.photos, args.wheels, args.python312, args.part)
    except PackError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    for part in parts:
        print(f"{part}: {part.stat().st_size / 2**20:.1f} MiB")
    print(f"carry {args.out}/, then there: {args.out}/install.sh DIR [PYTHON]")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "bundle", description=__doc__, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("photos", nargs="*", type=Path, help="photos or folders of them, for the check")
    add("--out", type=Path, default=Path("bundle"), metavar="DIR", help="(default: %(default)s)")
    add("--wheels", type=Path, default=BUILD / "wheels", metavar="DIR", help="where wheels are kept once downloaded")
    add(
        "--python312", metavar="PYTHON", help="a CPython 3.12 with a shared library, to be carried for machines without"
    )
    add("--part", type=int, default=PART_BYTES, metavar="BYTES", help=f"of a part, at most {MOST_PART_BYTES}")
    return parser


def pack(out: Path, photos: Sequence[Path], wheels: Path, python312: str | None, part_bytes: int) -> list[Path]:
    """Writes the bundle into `out`; returns its parts. Raises PackError."""
    if not 1 <= part_bytes <= MOST_PART_BYTES:
        raise PackError(f"--part is {part_bytes}, must be from 1 to {MOST_PART_BYTES}")
    staged = BUILD / "staged"
    shutil.rmtree(staged, ignore_errors=True)
    site = staged / "site"
    for name, wheel in download(wheels).items():
        unpack(wheel, site, KEPT.get(name, ("*",)))
    for name in OURS:
        copy_metadata(name, site)
    copy_tree(staged / "tree")
    copy_photos(photos or [ROOT / _PORTRAIT], staged / "photos")
    carry_python(python312, staged / "python")
    archive = BUILD / "archive.tar.xz"
    compress(staged, archive)
    # An earlier bundle is whole until now.
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    parts = write_parts(archive, out, part_bytes)
    for name in ("install.sh", "install.py"):
        shutil.copy2(HERE / name, out)
    return parts


def download(folder: Path) -> dict[str, Path]:
    """The wheels by name, from the folder or else from the package index."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for requirement in (*(f"{name}=={metadata.version(name)}" for name in WHEELS), *PINNED):
        name, _, version = requirement.partition("==")
        pattern = f"{name.replace('-', '_')}-{version}-*.whl"
        if not list(folder.glob(pattern)):
            _download(requirement, folder)
        found[name] = next(folder.glob(pattern))
    return found


def _download(requirement: str, folder: Path) -> None:
    platforms = [f"--platform=manylinux{n}_x86_64" for n in _PLATFORMS]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", *platforms]
    command += [f"--python-version={PYTHON}", "--implementation=cp", "--dest", str(folder), requirement]
    if subprocess.run(command, check=False).returncode:
        raise PackError(f"{requirement} cannot be downloaded for Python {PYTHON}")


def unpack(wheel: Path, site: Path, kept: Sequence[str]) -> None:
    """The files of a wheel that are needed, as pip would lay them out; programs may be executed."""
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            name = info.filename
            if info.is_dir() or not _matches(name, kept) or _matches(name, DROPPED):
                continue
            target = Path(archive.extract(info, site))
            target.chmod(info.external_attr >> 16 & 0o777 or 0o644)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def copy_metadata(name: str, site: Path) -> None:
    """What tells Python that one of our distributions is installed, and which commands it brings."""
    distribution = metadata.distribution(name)
    target = site / f"{name.replace('-', '_')}-{distribution.version}.dist-info"
    target.mkdir(parents=True)
    for file in ("METADATA", "entry_points.txt"):
        if text := distribution.read_text(file):
            (target / file).write_text(text)


def copy_tree(target: Path) -> None:
    """What the service and the check run from, with the exported PNet, RNet and ONet."""
    listed = _git("ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *TREE, _PORTRAIT).split("\0")
    exported = [str(file.relative_to(ROOT)) for name in ("pnet", "rnet", "onet") for file in _exported(name)]
    for name in filter(None, [*listed, *exported]):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (target / "COMMIT").write_text(_git("describe", "--always", "--dirty", "--abbrev=12"))


def _exported(name: str) -> Iterator[Path]:
    files = sorted((ROOT / "model_repository" / name).glob("*/model.pt"))
    if not files:
        raise PackError(f"{name} is not exported: make export")
    for file in files:
        yield from (file for file in (file, file.with_name("export.json")) if file.exists())


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackError(f"git: {done.stderr.strip()}")
    return done.stdout


def copy_photos(given: Sequence[Path], target: Path) -> None:
    target.mkdir(parents=True)
    for path in given:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if not file.is_file():
                raise PackError(f"there is no photo {file}")
            shutil.copy2(file, target)


def carry_python(python: str | None, target: Path) -> None:
    """The library that Triton's stub links, and the modules that a Python of another make has built in."""
    if python is None:
        print(f"without {LIBPYTHON}: the machine must have its own (else: --python312)")
        return
    try:
        facts = subprocess.run([python, "-c", _FACTS], capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError) as error:
        raise PackError(f"--python312 {python}: {error}") from error
    version, libraries, modules = facts
    library = Path(libraries) / LIBPYTHON
    if version != PYTHON or not library.exists():
        raise PackError(f"--python312 {python} is Python {version}, and has no {library}")
    shutil.copytree(modules, target / "lib-dynload", ignore=shutil.ignore_patterns("_test*", "xx*", "_tkinter*"))
    shutil.copy2(library, target)
    if strip := shutil.which("strip"):
        subprocess.run([strip, "--strip-unneeded", *map(str, target.rglob("*.so*"))], check=True)


def compress(folder: Path, archive: Path) -> None:
    """All files of a folder. Minutes: this is as small as xz makes it."""
    # Machine code packs a tenth smaller when its jumps are made absolute first.
    filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
    with lzma.open(archive, "wb", filters=filters) as file, tarfile.open(fileobj=file, mode="w|") as tar:
        for path in sorted(folder.rglob("*"), key=lambda path: (path.suffix, str(path))):
            if path.is_file():
                tar.add(path, path.relative_to(folder), filter=_anonymous)


def write_parts(archive: Path, out: Path, part_bytes: int) -> list[Path]:
    """The archive in parts, with a manifest that names them."""
    parts = []
    with archive.open("rb") as file:
        while data := file.read(part_bytes):
            parts.append(out / f"part.{len(parts):02}")
            parts[-1].write_bytes(data)
    listed = [{"name": part.name, "bytes": part.stat().st_size, "sha256": _sha256(part)} for part in parts]
    (out / "manifest.json").write_text(json.dumps({"python": PYTHON, "parts": listed}, indent=1) + "\n")
    return parts


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
