"""The service: what was exported, which ports are free, whether a server answers."""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from face_admin.doctor.finding import BAD, GOOD, NOTE, Finding, bad_if


def exported(folder: Path) -> Iterator[Finding]:
    """The repository as a whole, then the live version of each network."""
    from face_cascade.networks import FACENET, STAGES
    from face_repository.layout import EXPORTED, Repository, RepositoryError
    from face_repository.versions import numbers

    try:
        repository = Repository.read(folder)
    except RepositoryError as error:
        yield Finding("repository", BAD, str(folder), str(error))
    else:
        missing = f", without {', '.join(repository.missing)}" if repository.missing else ""
        yield Finding("repository", GOOD, f"{repository.path}{missing}")
    for network in (*STAGES, FACENET):
        found = numbers(folder / network.name)
        live = folder / network.name / str(found[-1] if found else "")
        if found and (live / EXPORTED).is_file():
            yield _network(network.name, live, found)


def _network(name: str, live: Path, versions: list[int]) -> Finding:
    from face_repository.layout import EXPORT_RECORD, EXPORTED, SHOWN_OF_DIGEST

    which = f"version {live.name}" + (f" of {', '.join(map(str, versions))}" if len(versions) > 1 else "")
    again = f"`faces export` writes {name} again"
    try:
        record = json.loads((live / EXPORT_RECORD).read_text())
        source, written, note = record["source"], record["model_sha256"], record["note"]
        precision = record.get("precision", "fp32")
    except (OSError, ValueError, KeyError, TypeError):
        return Finding(name, NOTE, f"{which}, without a record of its export", again)
    digest = hashlib.sha256((live / EXPORTED).read_bytes()).hexdigest()
    found = f"{which}, {source}, {precision}, {digest[:SHOWN_OF_DIGEST]}"
    if digest != written:
        return Finding(name, NOTE, found, f"{EXPORTED} is not the file that was exported: {again}")
    return Finding(name, NOTE if note else GOOD, found, note)


def ports(answers: bool) -> Finding:
    """answers: a server of ours does, so that its ports are taken rightly."""
    from face_server.errors import SetupError
    from face_server.ports import LOOPBACK, free_ports
    from face_server.settings import DEFAULT_PORTS

    taken = []
    for port in DEFAULT_PORTS:
        try:
            free_ports((LOOPBACK,), (port,))
        except SetupError:
            taken.append(str(port))
    if not taken:
        return Finding("ports", GOOD, f"{', '.join(map(str, DEFAULT_PORTS))} are free")
    advice = "" if answers else "end what listens there, or `faces serve --any-ports`"
    return Finding("ports", GOOD if answers else NOTE, f"{', '.join(taken)} in use", advice)


def gallery(folder: Path) -> Iterator[Finding]:
    """The one that `TRITON_FACES_GALLERY` names, and whether the FaceNet of the repository has embedded it."""
    from face_runtime.settings import GALLERY_VARIABLE

    where = os.environ.get(GALLERY_VARIABLE)
    if not where:
        return
    # Not at the top: an extra.
    from face_gallery.errors import GalleryError
    from face_gallery.opening import open_store

    try:
        with open_store(where, create=False) as store:
            people, indexes = sum(store.collections().values()), store.indexes()
    except GalleryError as error:
        yield Finding("gallery", BAD, f"that of {GALLERY_VARIABLE} cannot be opened", str(error))
        return
    active = indexes[0] if indexes else None
    faces = f"{active.faces} faces, embedded by {active.weights.name}" if active else "no faces"
    exported = _facenet(folder)
    differs = active is not None and exported is not None and exported != active.weights.sha256
    advice = "the FaceNet of the repository is another one: `faces gallery reindex`"
    yield bad_if(differs, "gallery", f"{people} people, {faces}", advice, NOTE)


def _facenet(folder: Path) -> str | None:
    """The digest of the live FaceNet's weights, where its export says it."""
    from face_cascade.networks import FACENET
    from face_repository.layout import EXPORT_RECORD
    from face_repository.versions import latest

    try:
        record = json.loads((folder / FACENET.name / str(latest(folder / FACENET.name)) / EXPORT_RECORD).read_text())
        return str(record["state_dict_sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def server(args: argparse.Namespace) -> Finding:
    """What a drawn face finds at the end of the connection's arguments."""
    from face_client import FaceClient
    from face_client.canary import ask_canary
    from face_client.errors import DeadlineExceeded, FaceError, ServerUnavailable
    from face_tools.connection import tls_from

    started = time.monotonic()
    try:
        with FaceClient(args.url, timeout=args.timeout, retries=0, tls=tls_from(args)) as client:
            ask_canary(client)
    except (ServerUnavailable, DeadlineExceeded) as error:
        return Finding(
            "server",
            NOTE,
            f"no answer from {args.url}: {error}",
            "start one with `faces serve`, or name another with --url",
        )
    except FaceError as error:
        return Finding("server", BAD, f"{args.url} answers with an error: {error}", "its log says more")
    return Finding("server", GOOD, f"{args.url} answered a small picture in {time.monotonic() - started:.2f} s")
