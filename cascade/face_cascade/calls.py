"""What the flow asks of its driver, and the driver itself."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

from numpy.typing import NDArray

from face_cascade.networks import FACENET, ONET, PNET, RNET, Network
from face_cascade.tiles import TILE_SIZE

T = TypeVar("T")

Outputs: TypeAlias = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Call:
    """Run `batch` through `network` and send back its outputs, in the order of `network.outputs`.

    The batch is FP32, shaped as the network says, and of the engine that the flow works with: a NumPy array, unless the
    flow was given another (see `arrays`). So are the outputs.

    least: of PNet: cells whose probability is below are not looked at. None: all are looked at.
    """

    network: Network
    batch: Any
    least: float | None = None


@dataclass(frozen=True)
class Together:
    """Flows that depend on nothing of each other: run them in any order or at once, send back a list of results.

    `stage` names the part of the cascade, for whoever measures.
    """

    stage: str
    flows: Sequence["Flow[Any]"]


Flow: TypeAlias = Generator[Call | Together, Any, T]
"""A computation without I/O: yields what it needs done and is sent the answer."""

Map: TypeAlias = Callable[[Callable[[Flow[Any]], Any], Iterable[Flow[Any]]], Iterable[Any]]
"""`map`, or something that maps in several threads."""


def drive(flow: Flow[T], run: Callable[[Call], Outputs], map_flows: Map = map) -> T:
    """Runs a flow to its end: `run` answers each call, `map_flows` runs what may run together."""

    def drive_part(part: Flow[Any]) -> Any:
        # What runs in a worker thread must not wait for another worker.
        return drive(part, run)

    try:
        step = next(flow)
        while True:
            if isinstance(step, Call):
                step = flow.send(run(step))
            else:
                # One alone needs no other thread.
                mapped = map_flows if len(step.flows) > 1 else map
                step = flow.send(list(mapped(drive_part, step.flows)))
    except StopIteration as end:
        result: T = end.value
        return result


def interruptible(flow: Flow[T], check: Callable[[], None]) -> Flow[T]:
    """The flow itself; `check` is called before each of its steps, and ends it there by raising."""
    result: Any = None
    try:
        while True:
            step = flow.send(result)
            check()
            result = yield step
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        flow.close()


def runs(sizes: Sequence[int], most: int) -> Iterator[slice]:
    """Cuts things of these sizes into runs of at most `most` together, or of one."""
    start = total = 0
    for n, size in enumerate(sizes):
        if n > start and total + size > most:
            yield slice(start, n)
            start, total = n, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))


@dataclass(frozen=True)
class Limits:
    """How the work is cut up, and how much of it one image may make.

    Triton refuses a request of more rows than a model's `max_batch_size`. In one process small batches stay in
    the processor's caches: `pnet_pixels` bounds PNet's by what its tiles cover together. Batches are cut so that
    `parallel` workers have equal shares. `packed`: PNet is asked with tiles of few shapes, filled with pieces of
    levels; if not, with each piece as it is, of any shape. Whoever drives the flow has it back after `step_batches`
    batches, or when PNet has seen `step_pixels` of tiles: so what is held at once is bounded, and callers who are gone
    are seen.

    `max_cells` bounds the memory, `max_candidates` the time that one image can take: a wall of faces of 10 pixels, 50
    megapixels of it, stays below both. An image beyond has no answer, see `TooManyCandidates`.
    """

    pnet: int = PNET.max_batch
    rnet: int = RNET.max_batch
    onet: int = ONET.max_batch
    facenet: int = FACENET.max_batch
    pnet_pixels: int = PNET.max_batch * TILE_SIZE * TILE_SIZE
    parallel: int = 1
    packed: bool = True
    step_batches: int = 64
    step_pixels: int = 512 * TILE_SIZE * TILE_SIZE
    max_cells: int = 8_000_000
    max_candidates: int = 1_000_000

    def pnet_tiles(self, height: int, width: int) -> int:
        """The most tiles of this shape in one batch, at least one."""
        return max(1, min(self.pnet, self.pnet_pixels // (height * width)))

    def shares(self, count: int, largest: int) -> list[slice]:
        """Cuts `count` rows into equal batches of at most `largest`, as many for each worker."""
        if count == 0:
            return []
        batches = self.parallel * -(-count // (self.parallel * largest))
        bounds = [count * n // batches for n in range(batches + 1)]
        return [slice(start, stop) for start, stop in pairwise(bounds) if start < stop]
