"""What people do with faces at a terminal: find, crop, compare, cluster, follow through videos, measure."""

from __future__ import annotations

from importlib.util import find_spec

from face_client.extras import how_to_install

# Extra → what it is for, and the packages in it that are imported.
_EXTRAS = {
    "cluster": ("clusters", ("scipy",)),
    "gallery": ("galleries", ("face_gallery",)),
    "evaluate": ("evaluation", ("scipy", "sklearn", "matplotlib")),
    "video": ("videos", ("av", "scipy")),
}


def need_extra(extra: str) -> None:
    """Raises ImportError, which says what to install, where a package of an extra is missing.

    To be called before the work starts: a run of hours must not end at its plot.
    """
    purpose, packages = _EXTRAS[extra]
    for name in packages:
        if find_spec(name) is None:
            hint = how_to_install("triton-faces-tools", extra)
            raise ImportError(f"{name} is needed for {purpose}: {hint}", name=name)
