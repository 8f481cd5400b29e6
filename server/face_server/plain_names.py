"""Other names for folders whose own the processes of Triton's models cannot read.

The Python backend starts such a process by a line of words, in which a space parts a path in two. Its Python knows file
names in ASCII only, whatever the locale, and ends where a log line comes from a file of another name.
"""

import importlib.util
import re
import sys
import sysconfig
from pathlib import Path

from face_server import interpreter

_PLAIN = re.compile(r"[A-Za-z0-9._/+-]+")

# What models import of ours. An editable installation has each in a folder of its own.
_OURS = ("face_runtime", "face_cascade", "face_pictures", "face_repository")


def is_plain(path: Path | str) -> bool:
    return bool(_PLAIN.fullmatch(str(path)))


def link(source: Path, name: Path) -> Path:
    """Makes `name` stand for the folder; returns it."""
    name.symlink_to(source)
    return name


def python_directory(workplace: Path) -> Path:
    """Where the models' processes find `python3`: that of the environment we run in, or of a copy of it by plain names.

    workplace: where such a copy may be made.
    """
    folders = _folders()
    if all(is_plain(folder) for folder in map(str, (sys.prefix, sys.base_prefix, *folders))):
        return Path(sys.prefix) / "bin"
    copy = workplace / "environment"
    site = copy / "lib" / f"python{interpreter.version()}" / "site-packages"
    for folder in (copy / "bin", site):
        folder.mkdir(parents=True)
    (copy / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    (copy / "pyvenv.cfg").write_text(f"home = {link(Path(sys.base_prefix), copy / 'base')}/bin\n")
    (site / "ours.pth").write_text("".join(f"{link(f, copy / str(n))}\n" for n, f in enumerate(folders)))
    return copy / "bin"


def _folders() -> list[Path]:
    """Where what models import lies, in the order of search; the standard library aside."""
    specs = [spec for spec in map(importlib.util.find_spec, _OURS) if spec and spec.submodule_search_locations]
    ours = [Path(spec.submodule_search_locations[0]).parent for spec in specs if spec.submodule_search_locations]
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_config_var("DESTSHARED")}
    searched = [Path(entry) for entry in sys.path if entry and entry not in standard and Path(entry).is_dir()]
    return list(dict.fromkeys([*ours, *searched]))
