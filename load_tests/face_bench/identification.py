"""What it costs to know people: recognition with and without a gallery, and the search alone, for many callers at once.

    PYTHONPATH=load_tests python -m face_bench.identification --people 100000 --callers 64

Serves a FaceNet of random weights with a gallery of made people, in a temporary folder. The models are asked in turns,
so that what else the machine does meets all of them.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_bench.machine import CHECKOUT
from face_bench.metrics import Metrics, scrape
from face_bench.output import say
from face_bench.spread import percentiles
from face_cascade.networks import EMBEDDING_SIZE, FACENET
from face_client import AsyncFaceClient, FaceClient, Weights
from face_client.messages import Request
from face_command.arguments import number, whole
from face_export.exporter import export_facenet
from face_export.readers.facenet import random_weights
from face_gallery import open_store
from face_gallery.records import NewFace
from face_gallery.store import Enrolment
from face_repository.laying_out import source
from face_repository.layout import IDENTIFICATION, REQUIRED
from face_server import EmbeddedTriton, Settings

_PICTURE = CHECKOUT / "tests" / "data" / "astronaut.png"
_CLASSES = 10
_AT_ONCE = 10_000
_NAMES = ("names", "distances", "margins")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=whole(1, 2_000_000), default=100_000, metavar="N", help="(%(default)s)")
    parser.add_argument("--callers", type=whole(1, 1024), default=64, metavar="N", help="(%(default)s)")
    parser.add_argument("--seconds", type=number(high=3600, above=0), default=20, metavar="S", help="(%(default)s)")
    parser.add_argument("--rounds", type=whole(1, 100), default=3, metavar="N", help="(%(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faces-identification-") as folder:
        where = Path(folder, "people.gallery")
        models = (*REQUIRED, FACENET.name, *IDENTIFICATION)
        settings = Settings(models=models, gallery=str(where), random_weights=True)
        with EmbeddedTriton(_repository(Path(folder, "models")), settings) as server:
            with FaceClient(server.grpc_url) as client:
                weights = client.weights()
            started = time.monotonic()
            _enrol(where, args.people, weights)
            say(f"{args.people:,} people enrolled in {time.monotonic() - started:.0f} s")
            for turn in range(args.rounds):
                for name, request in _requests(weights).items():
                    say(f"round {turn + 1}  {name:<20}  {_measured(server, request, args.callers, args.seconds)}")


def _repository(folder: Path) -> Path:
    """The checkout's models, as they are exported, with a FaceNet of random weights."""
    folder.mkdir()
    for model in source().iterdir():
        if model.name != FACENET.name and not model.name.startswith("."):
            (folder / model.name).symlink_to(model)
    (folder / FACENET.name).mkdir()
    (folder / FACENET.name / "config.pbtxt").write_text((source() / FACENET.name / "config.pbtxt").read_text())
    export_facenet(random_weights(_CLASSES), folder)
    return folder


def _enrol(where: Path, people: int, weights: Weights) -> None:
    with open_store(where) as store:
        for start in range(0, people, _AT_ONCE):
            rows = _directions(min(_AT_ONCE, people - start), start)
            store.enrol(
                (Enrolment("default", f"person {start + n}", {}, [NewFace(row)]) for n, row in enumerate(rows)), weights
            )


def _directions(count: int, seed: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((count, EMBEDDING_SIZE), np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _requests(weights: Weights) -> dict[str, Request]:
    """By the name of the model that they ask: a picture with one face, or its embedding."""
    picture = {"encoded_image": np.array([[_PICTURE.read_bytes()]], np.object_)}
    recognised = ("boxes", "num_faces", "embeddings", "weights")
    embedded = {
        "embeddings": _directions(1, 0)[np.newaxis],
        "weights": np.array([[json.dumps(weights.to_dict()).encode()]], np.object_),
        "num_faces": np.ones((1, 1), np.int32),
    }
    return {
        "face_recognition": Request("face_recognition", picture, recognised),
        "face_identification": Request("face_identification", picture, (*recognised, *_NAMES)),
        "face_names": Request("face_names", embedded, _NAMES),
    }


def _measured(server: EmbeddedTriton, request: Request, callers: int, seconds: float) -> str:
    """Each caller asks again when it has its answer."""
    asyncio.run(_ask(server.grpc_url, request, callers, min(seconds, 3)))
    before = scrape(server.metrics_url)
    took = asyncio.run(_ask(server.grpc_url, request, callers, seconds))
    grown = scrape(server.metrics_url).since(before)
    median, late = percentiles(took, (50, 95))
    return (
        f"{len(took) / seconds:7.1f} a second, median {1000 * median:.0f} ms, 95 % {1000 * late:.0f} ms; "
        f"faces a search: {', '.join(_searches(grown)) or 'none'}"
    )


async def _ask(url: str, request: Request, callers: int, seconds: float) -> list[float]:
    """Seconds that each answer took."""
    took: list[float] = []
    until = time.monotonic() + seconds
    async with AsyncFaceClient(url, timeout=120) as client:

        async def caller() -> None:
            while (start := time.monotonic()) < until:
                await client._ask(request)
                if time.monotonic() < until:
                    took.append(time.monotonic() - start)

        await asyncio.gather(*(caller() for _ in range(callers)))
    return took


def _searches(grown: Metrics) -> Iterator[str]:
    """How many searches had so many faces."""
    searches = grown.total("face_names_batch_faces_count")
    if searches:
        faces = grown.total("face_names_batch_faces_sum") or 0
        yield f"{faces / searches:.1f} on average of {searches:.0f}"
        least, below = 0.0, 0.0
        for most in (1, 2, 4, 8, 16, 32, 64):
            upto = grown.total("face_names_batch_faces_bucket", le=str(most)) or 0
            if upto > below:
                yield f"{least:g} to {most:g} in {100 * (upto - below) / searches:.0f} %"
            least, below = most + 1, upto


if __name__ == "__main__":
    main()
