"""What to install where a package of an extra is missing."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires


def how_to_install(distribution: str, extra: str) -> str:
    """A command that installs what an extra of one of our distributions consists of, for any shell.

    The packages by their own names, out of the metadata of what is installed: our distributions are in no index, and
    wherever this one came from, a folder, a wheel, an address, may be gone.
    """
    try:
        every = requires(distribution) or []
    except PackageNotFoundError:
        every = []
    wanted = []
    for requirement in every:
        package, _, marker = requirement.partition(";")
        if f'extra == "{extra}"' in marker.replace("'", '"') and not package.startswith("triton-faces"):
            wanted.append(f'"{package.strip()}"')
    return f"pip install {' '.join(wanted)}" if wanted else f"see the extra {extra!r} of {distribution}"
