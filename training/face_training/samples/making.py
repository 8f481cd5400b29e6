"""Makes the rows of many pictures, in several processes, and goes on where an earlier run stopped.

What a row is, and how it is made of a picture, is the plan's: samples of a stage, or crops for FaceNet.
"""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from face_pictures.decoding import decode_image
from face_pictures.errors import InvalidImage
from face_training.errors import SamplesError, UnreadablePicture
from face_training.samples.records import Records
from face_training.samples.store import Recipe, write_shard

PICTURES_PER_SHARD = 64
"""At least so many: what is lost when a run is stopped, and what a process takes at a time."""

_MOST_SHARDS = 500
"""All are open at once when they are read, and a process may have 1,024 files open."""

Maker: TypeAlias = Callable[[int, Any], Records]
"""From a picture's number and what is known of it to its rows; depends on nothing else. Raises UnreadablePicture."""

_Made: TypeAlias = tuple[int, list[UnreadablePicture]]
"""How many pictures a shard is of, and which of them could not be read."""


@dataclass(frozen=True)
class Plan:
    """What to make: rows in `folder`, which follow from the recipe and the pictures.

    maker: makes the maker, in each process (it may have networks to compile); must be picklable.
    """

    folder: Path
    recipe: Recipe
    row: np.dtype[Any]
    maker: Callable[[], Maker]


def read_picture(path: Path) -> NDArray[np.uint8]:
    """The pixels UINT8 [H,W,3] of a picture, as the service reads them. Raises UnreadablePicture."""
    try:
        return decode_image(path.read_bytes())
    except (InvalidImage, OSError) as error:
        raise UnreadablePicture(path, str(error)) from error


def make_samples(
    plan: Plan, pictures: Sequence[Any], processes: int, unreadable: Callable[[UnreadablePicture], object] | None = None
) -> Iterator[int]:
    """Makes what is not there yet; after each shard yields the number of its pictures, those of an earlier run first.

    The samples do not depend on the number of processes. unreadable: is told of each picture that gives no rows because
    it cannot be read.

    Raises:
        SamplesError: samples of another recipe are in the folder, or a process was killed.
    """
    plan.recipe.claim(plan.folder)
    size = max(PICTURES_PER_SHARD, -(-len(pictures) // _MOST_SHARDS))
    shards = [(start, pictures[start : start + size]) for start in range(0, len(pictures), size)]
    missing = [(start, part) for start, part in shards if not _path(plan, start).exists()]
    yield from (len(part) for start, part in shards if _path(plan, start).exists())
    if not missing:
        return
    if processes == 1 or len(missing) == 1:
        maker = plan.maker()
        for start, part in missing:
            yield _told(_make_shard(plan, maker, start, part), unreadable)
    else:
        for made in _in_parallel(plan, missing, processes):
            yield _told(made, unreadable)


def _told(made: _Made, unreadable: Callable[[UnreadablePicture], object] | None) -> int:
    count, failures = made
    if unreadable:
        for failure in failures:
            unreadable(failure)
    return count


def _in_parallel(plan: Plan, shards: Sequence[tuple[int, Sequence[Any]]], processes: int) -> Iterator[_Made]:
    # Spawned: to fork a process in which torch has started its threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(shards)), context, _start, (plan,)) as pool:
        with _interrupts_ignored():
            futures = [pool.submit(_in_worker, start, part) for start, part in shards]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise SamplesError(
                "a process that makes samples ended before its time, as when memory runs out: "
                "run again, with fewer --processes"
            ) from error
        except BaseException:
            # What the processes are at is finished, and so not lost.
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes that are started here never see Ctrl-C: it is for their parent, which ends them."""
    if threading.current_thread() is not threading.main_thread():
        # Signals belong to the main thread.
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _path(plan: Plan, start: int) -> Path:
    return plan.folder / f"{start:08d}.npy"


def _make_shard(plan: Plan, maker: Maker, start: int, pictures: Sequence[Any]) -> _Made:
    rows, failures = [np.zeros(0, plan.row)], []
    for number, picture in enumerate(pictures, start):
        try:
            rows.append(maker(number, picture))
        except UnreadablePicture as error:
            failures.append(error)
    write_shard(_path(plan, start), np.concatenate(rows))
    return len(pictures), failures


# Of a worker process: what `_start` made there.
_worker: list[tuple[Plan, Maker]] = []


def _start(plan: Plan) -> None:
    # The processes are as many as the cores.
    cv2.setNumThreads(1)
    _worker.append((plan, plan.maker()))


def _in_worker(start: int, pictures: Sequence[Any]) -> _Made:
    (found,) = _worker
    return _make_shard(*found, start, pictures)
