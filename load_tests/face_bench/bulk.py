"""`make bulk`: `faces batch` over thousands of made pictures: its rate beside a server's, and its memory."""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from face_bench import BenchError
from face_bench.machine import CHECKOUT, Machine
from face_bench.many_clients import SweepStep, sweep
from face_bench.output import Table, bar, make_folder, save_report, say, show
from face_bench.pictures import PORTRAIT, Picture, photo, photos
from face_bench.plots import ORANGE, TEAL, picture
from face_bench.processes import server_state
from face_bench.wire import MODEL, picture_requests
from face_command.arguments import whole
from face_command.parser import Parser
from face_server import EmbeddedTriton, ServerError

_FORMATS = ("jpg",) * 6 + ("png", "webp", "bmp")
_BROKEN_EVERY = 100
# Of the pictures, sent to the server.
_SENT = 32
_CLIENTS = (8, 16, 32)
_LOOK_S = 2.0
_FACES = Path(sys.executable).with_name("faces")

_DESCRIPTION = """\
Makes pictures (faces pasted on noise, several formats, one in a hundred broken), sends some of them to a server from 8
to 32 clients, runs `faces batch` over all of them, watching its memory, and asks the server once more.
"""


@dataclass(frozen=True)
class Memory:
    """Bytes (PSS) so many seconds after the start. total: of all processes. workers: of those at shards."""

    seconds: float
    total: int
    workers: tuple[int, ...]


@dataclass(frozen=True)
class Report:
    """before, after: the server's steps. seconds: of the whole command. rate: pictures a second, once its workers have
    started, as a server has that is measured. told: what it said at its end."""

    machine: Machine
    pictures: int
    size: tuple[int, int]
    before: list[SweepStep]
    after: list[SweepStep]
    seconds: float
    rate: float
    told: str
    memory: list[Memory]

    @property
    def served(self) -> float:
        """The highest rate of the server, the mean of before and after."""
        return float(np.mean([max(step.images_per_second for step in steps) for steps in (self.before, self.after)]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0; 1 with a message."""
    args = _parser().parse_args(arguments)
    try:
        make_folder(args.out)
        source = args.out / "source"
        make_pictures(source, args.count, args.size, args.photos)
        report = _measure(args, source)
        table = _table(report)
        show([table], before=report.machine.line)
        save_report(args.out, report, report.machine.line, [table])
        picture([_draw_memory], report, report.machine, args.out / "memory.png")
        say(f"written: {args.out}/report.json, report.md and memory.png; the tables in {args.out}/target")
    except (BenchError, ServerError) as error:
        print(f"bulk: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> Parser:
    parser = Parser("face_bench.bulk", description=_DESCRIPTION)
    add = parser.add_argument
    add("--count", type=whole(_SENT, 10_000_000), default=20_000, metavar="N", help="pictures (%(default)s)")
    add("--size", type=whole(64, 10_000), nargs=2, default=(640, 480), metavar=("W", "H"), help="of each (640 480)")
    add("--photos", type=Path, metavar="DIR", help="paste these instead of the portrait")
    add("--seconds", type=whole(1, 600), default=15, metavar="S", help="for each number of clients (%(default)s)")
    add("--out", type=Path, default=Path("bulk"), metavar="DIR", help="for pictures, tables, report (%(default)s)")
    return parser


def make_pictures(folder: Path, count: int, size: tuple[int, int], photos_in: Path | None) -> None:
    """The same for the same arguments, a thousand in a folder. What is there already stays."""
    choice = random.Random(0)
    pasted = [Image.open(PORTRAIT).convert("RGB")]
    if photos_in is not None:
        pasted = [Image.fromarray(each.pixels) for each in photos(photos_in)]
    width, height = size
    noise = np.random.default_rng(0).integers(60, 190, (8, height // 40 + 1, width // 40 + 1, 3), np.uint8)
    papers = [Image.fromarray(each).resize((width, height), Image.Resampling.BICUBIC) for each in noise]
    with bar(f"{count:,} pictures of {width}x{height}", count) as tell:
        for number in range(count):
            tell(number)
            canvas = choice.choice(papers).copy()
            for _ in range(choice.choice((0, 1, 1, 1, 2))):
                paste = choice.choice(pasted)
                scale = choice.uniform(0.35, 0.9) * min(width / paste.width, height / paste.height)
                small = paste.resize((max(1, round(paste.width * scale)), max(1, round(paste.height * scale))))
                canvas.paste(small, (choice.randrange(width - small.width), choice.randrange(height - small.height)))
            file = folder / f"{number // 1000:05d}" / f"{number:08d}.{choice.choice(_FORMATS)}"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                canvas.save(file)
                if number % _BROKEN_EVERY == 37:
                    file.write_bytes(file.read_bytes()[: choice.choice((0, 10, 1000))])


def _measure(args: argparse.Namespace, source: Path) -> Report:
    files = sorted(source.rglob("*.*"))
    whole_ones = [file for file in files if int(file.stem) % _BROKEN_EVERY != 37]
    sent = [photo(file) for file in random.Random(0).sample(whole_ones, _SENT)]
    machine = Machine.here()
    before = _serve(sent, args.seconds)
    target = args.out / "target"
    seconds, told, memory = _run(source, target)
    facts = json.loads((target / "_faces" / "report.json").read_text())["facts"]
    after = _serve(sent, args.seconds)
    size, rate = tuple(args.size), facts["pictures a second, once started"]
    return Report(machine, len(files), size, before, after, seconds, rate, told, memory)


def _serve(pictures: Sequence[Picture], seconds: float) -> list[SweepStep]:
    with EmbeddedTriton(CHECKOUT / "model_repository") as triton:
        requests = picture_requests(triton.grpc_url, MODEL, pictures)
        with bar(f"server, {', '.join(map(str, _CLIENTS))} clients", len(_CLIENTS)) as tell:
            return sweep(triton, requests, _CLIENTS, seconds, tell)


def _run(source: Path, target: Path) -> tuple[float, str, list[Memory]]:
    """`faces batch`, watched. Raises BenchError where it fails."""
    say(f"faces batch {source} {target}")
    start = time.monotonic()
    process = subprocess.Popen([_FACES, "batch", source, target], stderr=subprocess.PIPE, text=True)
    memory = []
    while True:
        try:
            process.wait(_LOOK_S)
            break
        except subprocess.TimeoutExpired:
            memory.append(_look(process.pid, time.monotonic() - start))
    seconds = time.monotonic() - start
    assert process.stderr is not None
    told = process.stderr.read().strip()
    if process.returncode:
        raise BenchError(f"faces batch failed: {told}")
    return seconds, told.splitlines()[-1], memory


def _look(pid: int, seconds: float) -> Memory:
    state = server_state(pid)
    workers = [process for process in state.processes if process.name.startswith("ray::do_shard")]
    return Memory(seconds, state.pss, tuple(process.pss for process in workers))


def _table(report: Report) -> Table:
    steps = {step.clients: step.images_per_second for step in report.before}
    again = {step.clients: step.images_per_second for step in report.after}
    served = [(f"server, {n} clients", f"{steps[n]:.1f}", f"{again[n]:.1f}") for n in _CLIENTS]
    return Table(
        f"{report.pictures:,} pictures of {report.size[0]}x{report.size[1]} in {report.seconds:.0f} s",
        ("", "images/s", "again"),
        (
            *served,
            ("faces batch", f"{report.rate:.1f}", ""),
            ("with its start", f"{report.pictures / report.seconds:.1f}", ""),
        ),
        notes=(
            f"faces batch is {report.rate / report.served:.2f} of the server's best",
            report.told,
            f"memory of all its processes: {max(each.total for each in report.memory) / 1e6:,.0f} MB at most",
        ),
    )


def _draw_memory(axes: Axes, report: Report) -> None:
    minutes = [each.seconds / 60 for each in report.memory]
    axes.plot(minutes, [each.total / 1e6 for each in report.memory], color=TEAL, label="all processes")
    axes.plot(minutes, [sum(each.workers) / 1e6 for each in report.memory], color=ORANGE, label="workers")
    axes.set_ylim(0)
    axes.set_xlabel("minutes")
    axes.set_ylabel("MB (PSS)")
    axes.set_title(f"Memory of faces batch over {report.pictures:,} pictures")
    axes.legend()


if __name__ == "__main__":
    sys.exit(main())
