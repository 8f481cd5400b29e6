"""Prints what our packages need from others, a line each: the layer of those stays the same when our sources change.

requirements.py "triton-faces[embedded,tracing]"
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

# Beside the five pyproject.toml, as the Dockerfile copies them.
PROJECTS = {
    project["name"]: project
    for folder in (".", "client", "gallery", "gateway", "tools")
    for project in [tomllib.loads(Path(folder, "pyproject.toml").read_text())["project"]]
}


def from_others(requirement: str) -> Iterator[str]:
    """The requirement itself, or those of the package and of its extras if it is ours."""
    name, extras = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", requirement).groups()
    if name not in PROJECTS:
        yield requirement
        return
    optional = PROJECTS[name].get("optional-dependencies", {})
    wanted = [
        *PROJECTS[name]["dependencies"],
        *(each for extra in (extras or "").split(",") if extra for each in optional[extra]),
    ]
    for each in wanted:
        yield from from_others(each)


if __name__ == "__main__":
    for line in sorted({line for wanted in sys.argv[1:] for line in from_others(wanted)}):
        print(line)
