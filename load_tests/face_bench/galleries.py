"""`make identify`: a gallery of a million people: a search beside a bare matrix product, memory, processes at work."""

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from face_bench import BenchError
from face_bench.machine import Machine
from face_bench.output import Table, bar, make_folder, save_report, say, show
from face_client.errors import FaceError
from face_client.weights import Weights
from face_command.arguments import number, whole
from face_command.parser import Parser
from face_gallery.matrix import Matrix
from face_gallery.opening import open_store
from face_gallery.records import NewFace
from face_gallery.register import Register
from face_gallery.store import Enrolment, Store

_SIZE = 512
_WEIGHTS = Weights("synthetic", "5e" * 32, random=False)
_SHARE = 10_000
_PROCESSES = 4

_DESCRIPTION = """\
Enrols synthetic people, one face each, reads them into a matrix, and takes turns: a search, and a bare NumPy product of
the same queries with the same matrix. Then four processes enrol and identify at given rates, in a gallery of its own.
"""

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Search:
    """Of so many queries at once: medians in ms, of a search by the register and of the bare product."""

    queries: int
    search_ms: float
    product_ms: float
    ratio: float


@dataclass(frozen=True)
class Together:
    """Four processes at work: how many enrolments and identifications a second, errors, and how long one took."""

    seconds: float
    enrolled: float
    identified: float
    errors: int
    enrol_p50_ms: float
    enrol_p99_ms: float
    identify_p50_ms: float
    identify_p99_ms: float


@dataclass(frozen=True)
class Report:
    """file_bytes: of the gallery's. matrix_bytes: people x 512 x 4. grown_bytes: by so much the process grew with the
    matrix, before and after the searches, the most it had."""

    machine: Machine
    people: int
    enrol_s: float
    file_bytes: int
    load_s: float
    matrix_bytes: int
    grown_bytes: int
    searches: list[Search]
    together: Together


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0; 1 with a message."""
    args = _parser().parse_args(arguments)
    try:
        make_folder(args.out)
        report = _measure(args)
        tables = _tables(report)
        show(tables, before=report.machine.line)
        save_report(args.out, report, report.machine.line, tables)
        say(f"written: {args.out}/report.json and report.md")
    except (BenchError, FaceError) as error:
        print(f"identify: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> Parser:
    parser = Parser("face_bench.galleries", description=_DESCRIPTION)
    add = parser.add_argument
    add("--people", type=whole(1000, 100_000_000), default=1_000_000, metavar="N", help="enrolled (%(default)s)")
    add("--repeats", type=whole(3, 1000), default=15, metavar="N", help="of each search (%(default)s)")
    add(
        "--together",
        type=whole(0, 10_000_000),
        default=100_000,
        metavar="N",
        help="people where four work (%(default)s)",
    )
    add("--enrolments", type=number(above=0), default=100.0, metavar="R", help="a second, of all four (%(default)g)")
    add("--identifications", type=number(above=0), default=50.0, metavar="R", help="likewise (%(default)g)")
    add("--seconds", type=whole(1, 3600), default=20, metavar="S", help="that they work (%(default)s)")
    add("--out", type=Path, default=Path("identify"), metavar="DIR", help="for galleries and report (%(default)s)")
    return parser


def units(count: int, seed: int) -> Rows:
    """Random directions: float32 [count, 512]."""
    rows = np.random.default_rng(seed).standard_normal((count, _SIZE), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _measure(args: argparse.Namespace) -> Report:
    machine = Machine.here()
    path = _new(args.out / "people.gallery")
    enrol_s = _enrol(path, args.people)
    with open_store(path) as store:
        process = psutil.Process()
        before = process.memory_info().rss
        start = time.perf_counter()
        say("reading it into a matrix")
        register = Register(store)
        matrix = register.matrix(_WEIGHTS.sha256)
        load_s = time.perf_counter() - start
        searches = [_searched(register, matrix, queries, args.repeats) for queries in (1, 8, 64)]
        grown = process.memory_info().rss - before
    size = path.stat().st_size
    path.unlink()
    return Report(machine, args.people, enrol_s, size, load_s, args.people * _SIZE * 4, grown, searches, _worked(args))


def _new(path: Path) -> Path:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return path


def _enrol(path: Path, people: int) -> float:
    start = time.perf_counter()
    with open_store(path) as store, bar(f"{people:,} people", people) as tell:
        for first in range(0, people, _SHARE):
            rows = units(min(_SHARE, people - first), first)
            store.enrol([_person(f"p{first + n}", row) for n, row in enumerate(rows)], _WEIGHTS)
            tell(first + len(rows))
    return time.perf_counter() - start


def _person(name: str, row: Rows) -> Enrolment:
    return Enrolment("default", name, None, [NewFace(row)])


def _searched(register: Register, matrix: Matrix, count: int, repeats: int) -> Search:
    """Turn about, so that both have the same of what the machine does beside."""
    say(f"{count} queries at once")
    took: dict[str, list[float]] = {"search": [], "product": []}
    for turn in range(repeats):
        queries = units(count, 1_000_000_000 + turn)
        for name, work in (
            ("search", lambda queries=queries: register.find(queries, _WEIGHTS, top=3)),
            ("product", lambda queries=queries: _product(matrix, queries)),
        ):
            start = time.perf_counter()
            work()
            took[name].append(1000 * (time.perf_counter() - start))
    search, product = (statistics.median(times) for times in took.values())
    return Search(count, search, product, search / product)


def _product(matrix: Matrix, queries: Rows) -> None:
    """What nobody can do without: each row times each query, in single precision, and nothing kept."""
    for block in matrix.blocks():
        if len(queries) == 1:
            block @ queries[0]
        else:
            queries @ block.T


def _worked(args: argparse.Namespace) -> Together:
    path = _new(args.out / "together.gallery")
    _enrol(path, args.together)
    say(f"four processes for {args.seconds} s")
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    told: Any = context.Queue()
    rates = (args.enrolments / _PROCESSES, args.identifications / _PROCESSES)
    workers = [
        context.Process(target=_work, args=(path, number, rates, args.seconds, ready, go, told))
        for number in range(_PROCESSES)
    ]
    # Before NumPy is imported there: four that take all cores each would wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    go.set()
    found = [told.get() for _ in workers]
    for worker in workers:
        worker.join()
    path.unlink()
    enrolling, identifying = ([took for each in found for took in each[kind]] for kind in (0, 1))
    if not enrolling or not identifying:
        raise BenchError("nothing was enrolled or identified in that time")
    return Together(
        args.seconds,
        len(enrolling) / args.seconds,
        len(identifying) / args.seconds,
        sum(each[2] for each in found),
        *(float(value) for took in (enrolling, identifying) for value in np.percentile(took, (50, 99))),
    )


def _work(
    path: Path, number: int, rates: tuple[float, float], seconds: float, ready: Any, go: Event, told: Any
) -> None:
    """Enrols and identifies, each in its time; tells how long each took (ms), and how many failed."""
    took: tuple[list[float], list[float]] = ([], [])
    errors = 0
    with open_store(path) as store:
        register = Register(store)
        register.matrix(_WEIGHTS.sha256)
        ready.release()
        go.wait()
        rows = units(1000, 77 + number)
        for kind, turn in _times(rates, seconds):
            row = rows[turn % len(rows)]
            start = time.perf_counter()
            try:
                _one(kind, register, store, f"new {number} {turn}", row)
            except FaceError as error:
                print(f"process {number}: {error}", file=sys.stderr)
                errors += 1
                continue
            took[kind].append(1000 * (time.perf_counter() - start))
    told.put((*took, errors))


def _one(kind: int, register: Register, store: Store, name: str, row: Rows) -> None:
    if kind == 0:
        store.enrol([_person(name, row)], _WEIGHTS)
    else:
        register.find(row[np.newaxis], _WEIGHTS)


def _times(rates: tuple[float, float], seconds: float) -> Iterator[tuple[int, int]]:
    """What to do next (0 enrol, 1 identify) when its time has come, and the how manieth it is; whatever is late is done
    at once."""
    start = time.perf_counter()
    done = [0, 0]
    while True:
        due = [done[kind] / rates[kind] for kind in (0, 1)]
        kind = int(due[1] < due[0])
        if due[kind] >= seconds:
            return
        time.sleep(max(0.0, start + due[kind] - time.perf_counter()))
        if time.perf_counter() - start >= seconds:
            return
        yield kind, done[kind]
        done[kind] += 1


def _tables(report: Report) -> list[Table]:
    together = report.together
    searches = Table(
        f"A search among {report.people:,} people, ms",
        ("queries at once", "search", "bare product", "ratio", "search, each"),
        tuple(
            (
                str(each.queries),
                f"{each.search_ms:.1f}",
                f"{each.product_ms:.1f}",
                f"{each.ratio:.2f}",
                f"{each.search_ms / each.queries:.1f}",
            )
            for each in report.searches
        ),
        notes=(
            f"memory: {report.grown_bytes / 1e6:,.0f} MB more than without a gallery, "
            f"{report.grown_bytes / report.matrix_bytes:.2f} of the matrix's {report.matrix_bytes / 1e6:,.0f} MB",
            f"enrolled in {report.enrol_s:.0f} s, the file has {report.file_bytes / 1e6:,.0f} MB; "
            f"read into memory in {report.load_s:.1f} s",
        ),
    )
    work = Table(
        f"Four processes for {together.seconds:.0f} s: {together.errors} errors",
        ("", "a second", "p50 ms", "p99 ms"),
        (
            ("enrolments", f"{together.enrolled:.0f}", f"{together.enrol_p50_ms:.1f}", f"{together.enrol_p99_ms:.1f}"),
            (
                "identifications",
                f"{together.identified:.0f}",
                f"{together.identify_p50_ms:.1f}",
                f"{together.identify_p99_ms:.1f}",
            ),
        ),
    )
    return [searches, work]


if __name__ == "__main__":
    sys.exit(main())
