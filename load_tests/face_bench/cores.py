"""`python -m face_bench.cores`: what the cascade would take on more cores than there are.

One thread takes a picture through the cascade as it is cut up for so many workers, and each part is timed. Then the
parts of each stage are dealt out, in their order, to whoever is free, as a crew of workers takes them: memory that is
shared, and cores that slow each other down, are not in it. What stays in one thread is seen in it, and how long the
interpreter's lock is held, which all workers of a process share.
"""

import argparse
import heapq
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from face_bench.machine import CHECKOUT, Machine
from face_bench.output import Table, bar, say, show
from face_bench.pictures import Picture, walls
from face_cascade import Call, DetectionParameters, detect, drive
from face_cascade.calls import Outputs, Together
from face_cascade.networks import STAGES
from face_command.arguments import whole
from face_command.parser import Parser
from face_repository.layout import EXPORTED
from face_runtime.engine import Engine
from face_runtime.processor import network_from_file, on_this_processor

CORES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Stage:
    """Seconds of each part of a stage, in the order in which they are taken."""

    name: str
    parts: tuple[float, ...]


@dataclass(frozen=True)
class Pass:
    """One picture through the cascade by one thread. between: seconds between the stages. kernels: seconds in networks,
    crops and integral images, where the interpreter's lock is free."""

    stages: tuple[Stage, ...]
    between: float
    kernels: float

    @property
    def work(self) -> float:
        return self.between + sum(sum(stage.parts) for stage in self.stages)

    def on(self, workers: int) -> float:
        """Seconds with so many workers."""
        return self.between + sum(makespan(stage.parts, workers) for stage in self.stages)

    @property
    def alone(self) -> float:
        """Seconds of what one thread does while the others have nothing."""
        return self.between + sum(stage.parts[0] for stage in self.stages if len(stage.parts) == 1)


def makespan(parts: Sequence[float], workers: int) -> float:
    """When the last part is done, where each is taken in its order by whoever is free first."""
    free = [0.0] * workers
    for part in parts:
        heapq.heappush(free, heapq.heappop(free) + part)
    return max(free)


class _Timed:
    """An engine's networks and arrays, with the seconds that they take."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        """As arrays: the engine's own, of which images and crops are timed."""
        method = getattr(self._engine.arrays, name)
        return self._timed(method) if name in ("image", "crops") else method

    def run(self, call: Call) -> Outputs:
        outputs: Outputs = self._timed(self._engine.run)(call)
        return outputs

    def _timed(self, function: Any) -> Any:
        def timed(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


def one_pass(engine: Engine, picture: Picture) -> Pass:
    """The picture once through the cascade, in this thread."""
    timed = _Timed(engine)
    flow = detect([picture.pixels], [DetectionParameters()], engine.limits, timed)
    stages: list[Stage] = []
    between, sent = 0.0, None
    while True:
        start = time.perf_counter()
        try:
            step = flow.send(sent)
        except StopIteration:
            return Pass(tuple(stages), between + time.perf_counter() - start, timed.seconds)
        between += time.perf_counter() - start
        assert isinstance(step, Together)
        sent, parts = [], []
        for part in step.flows:
            start = time.perf_counter()
            sent.append(drive(part, timed.run))
            parts.append(time.perf_counter() - start)
        stages.append(Stage(step.stage, tuple(parts)))


def _table(picture: str, passes: dict[int, list[Pass]]) -> Table:
    alone = median(one.on(1) for one in passes[CORES[0]])
    rows = []
    for cores, of_cores in passes.items():
        seconds = median(one.on(cores) for one in of_cores)
        locked = median(one.work - one.kernels for one in of_cores)
        work, serial = (median(getattr(one, name) for one in of_cores) for name in ("work", "alone"))
        times = [f"{1000 * value:.1f}" for value in (work, seconds, serial, locked)]
        rows.append((str(cores), *times, f"{alone / seconds:.1f}"))
    header = ("cores", "work ms", "picture ms", "of it in one thread ms", "lock held ms", "× one core")
    return Table(picture, header, tuple(rows), labels=0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0; 130 after Ctrl-C."""
    parser = Parser("face_bench.cores", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=whole(1, 1000), default=15, metavar="N", help="default: %(default)s")
    rounds = parser.parse_args(arguments).rounds
    repository = CHECKOUT / "model_repository"
    try:
        files = {network: repository / network.name / "1" / EXPORTED for network in STAGES}
        engine = on_this_processor(
            {network: network_from_file(network, file, say) for network, file in files.items()}, 1
        )
        engines = {cores: replace(engine, limits=replace(engine.limits, parallel=cores)) for cores in CORES}
        tables = []
        for picture in walls():
            with bar(f"{picture.name}: {rounds} rounds", rounds) as done:
                passes: dict[int, list[Pass]] = {cores: [] for cores in CORES}
                one_pass(engine, picture)
                for number in range(rounds):
                    for cores, cut in engines.items():
                        passes[cores].append(one_pass(cut, picture))
                    done(number + 1)
            tables.append(_table(picture.name, passes))
    except KeyboardInterrupt:
        print("cores: stopped", file=sys.stderr)
        return 130
    show(tables, before=Machine.here().line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
