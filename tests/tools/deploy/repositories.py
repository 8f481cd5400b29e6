"""Model repositories for tests that start nothing."""

import json

from face_repository.versions import NETWORKS


def make_repository(folder):
    """Version 1 of each network, with a file that says so."""
    for network in NETWORKS:
        make_version(folder, network, 1)
    return folder


def make_version(folder, network, number):
    """A version as `faces export` writes it."""
    version = folder / network / str(number)
    version.mkdir(parents=True)
    (version / "model.pt").write_text(f"{network} as of {number}")
    (version / "export.json").write_text(json.dumps({"source": f"source {number}", "model_sha256": str(number) * 64}))


def content(folder):
    """Every file's path and bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
