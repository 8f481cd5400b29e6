"""Writes the sync twins of the client and of galleries, `_sync`, from `_async`, word by word, as httpcore does.

    python client/unasync.py            write
    python client/unasync.py --check    say what differs from what it would write, and end with status 1

What the twins do in ways of their own stands in face_client/_tasks.py and face_client/_threads.py, by hand.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = (ROOT / "client" / "face_client", ROOT / "gallery" / "face_gallery")

HEADER = "# Written by client/unasync.py from {}/_async: change it there.\n\n"

# In this order.
RULES = (
    (r"async (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync(FaceClient|ServedGallery|Gallery|Transport|GrpcTransport|BalancedTransport|Iterator)\b", r"\1"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\b(face_client|face_gallery)\._async\b", r"\1._sync"),
    (r"\bface_client\._tasks\b", "face_client._threads"),
)

# Sentences about both twins, which stay as they are.
ABOUT_BOTH = (
    "one AsyncFaceClient any number of tasks",
    "AsyncFaceClient takes async iterables as well",
)


def to_sync(source: str, package: Path) -> str:
    """The source of a module of threads from that of asyncio, in the project's format."""
    for number, sentence in enumerate(ABOUT_BOTH):
        source = source.replace(sentence, f"<{number}>")
    for pattern, replacement in RULES:
        source = re.sub(pattern, replacement, source)
    for number, sentence in enumerate(ABOUT_BOTH):
        source = source.replace(f"<{number}>", sentence)
    return _formatted(HEADER.format(package.name) + source, package)


def _formatted(source: str, package: Path) -> str:
    """Other words have other lengths, and another place among the imports; `[x async for x in y]` becomes `list(y)`."""
    fix = ["check", "--quiet", "--select", "I,C416", "--fix", "--unsafe-fixes"]
    for arguments in (fix, ["format", "--quiet"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", package / "_sync" / "module.py", "-"]
        source = subprocess.run(command, input=source, stdout=subprocess.PIPE, text=True, check=True).stdout
    return source


def main(arguments: list[str]) -> int:
    differing = []
    for path in sorted(path for package in PACKAGES for path in (package / "_async").glob("*.py")):
        package = path.parents[1]
        target = package / "_sync" / path.name
        if path.name == "__init__.py":
            continue
        written = to_sync(path.read_text(), package)
        if target.is_file() and target.read_text() == written:
            continue
        differing.append(target)
        if arguments != ["--check"]:
            target.write_text(written)
            print(f"written: {target}")
    if arguments != ["--check"]:
        return 0
    for target in differing:
        print(f"{target} is not what {target.parents[1] / '_async' / target.name} says: run python client/unasync.py")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
