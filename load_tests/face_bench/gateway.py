"""What the REST API costs beside gRPC: `PYTHONPATH=load_tests python -m face_bench.gateway`."""

import argparse
import base64
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from face_bench import BenchError
from face_bench.gateway_callers import Call, Callers, Turn
from face_bench.gateway_report import Alone, Many, Report, tables
from face_bench.machine import CHECKOUT, Machine
from face_bench.output import bar, make_folder, save_report, say, show
from face_bench.pictures import WALL_SIZES, Picture, walls
from face_bench.processes import OtherLoad, cpu_seconds
from face_bench.spread import Spread, percentiles
from face_bench.wire import JPEG, MODEL, infer_request, picture_tensors
from face_client import FaceClient, FaceError
from face_command.arguments import number, whole
from face_command.parser import Parser
from face_server import EmbeddedTriton, ServerError

GRPC, BODY, FORM, BASE64 = "gRPC", "picture as body", "form", "base64 in JSON"
WAYS = (GRPC, BODY, FORM, BASE64)

_BOUNDARY = "7c1f0f7a5f"
_FACES = Path(sys.executable).with_name("faces")
_WARM_UP = 5

_DESCRIPTION = """\
Starts a server and `faces page` before it, and sends both the same picture of 1920x1080 in turns: by FaceClient over
gRPC, and over HTTP as a body, as a form, and in base64. First one caller, each way in every round; then many, who are
processes of their own, and share the cores with server and gateway.
"""


@dataclass(frozen=True)
class Served:
    """Process ids and addresses, host:port, of server and gateway."""

    server: int
    gateway: int
    grpc: str
    http: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0; 1 with a message."""
    args = _parser().parse_args(arguments)
    try:
        if args.out is not None:
            make_folder(args.out)
        report = _measure(args)
        show(tables(report), before=report.machine.line)
        if args.out is not None:
            save_report(args.out, report, report.machine.line, tables(report))
    except (BenchError, ServerError, FaceError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> Parser:
    parser = Parser("face_bench.gateway", description=_DESCRIPTION)
    add = parser.add_argument
    add("--rounds", type=whole(0, 10_000), default=100, metavar="N", help="of one caller (%(default)s)")
    add(
        "--min-face-size",
        type=number(20),
        default=20,
        metavar="N",
        help="what one caller looks for (%(default)s): larger faces take the server less time, whose spread hides less",
    )
    add("--callers", type=whole(1, 64), nargs="*", default=[8, 64], metavar="N", help="of many (8 64)")
    add("--turns", type=whole(1, 100), default=5, metavar="N", help="of each number of callers (%(default)s)")
    add("--images", type=whole(1, 10_000), default=200, metavar="N", help="in a turn, each way (%(default)s)")
    add("--ways", choices=WAYS[1:], nargs="*", default=WAYS[1:], metavar="WAY", help=f"beside gRPC: {WAYS[1:]} (all)")
    add("--out", type=Path, metavar="DIR", help="also write report.json and report.md there")
    return parser


def _measure(args: argparse.Namespace) -> Report:
    (picture,) = walls(WALL_SIZES[:1])
    ways = (GRPC, *args.ways)
    with EmbeddedTriton(CHECKOUT / "model_repository") as triton, _gateway(triton.grpc_url) as (pid, http):
        served = Served(triton.pid, pid, triton.grpc_url, http)
        alone = _alone(served, picture, ways, args.rounds, args.min_face_size) if args.rounds else []
        with FaceClient(served.grpc) as client:
            faces = len(client.detect(picture.jpeg))
        with ExitStack() as stack:
            callers = {way: stack.enter_context(Callers(_call(served, way, picture, faces))) for way in ways}
            many = [each for count in args.callers for each in _many(served, callers, count, args.turns, args.images)]
    return Report(Machine.here(), picture.name, len(picture.jpeg), args.min_face_size, alone, many)


@contextmanager
def _gateway(grpc_url: str) -> Iterator[tuple[int, str]]:
    """`faces page` before a server: its process id and host:port."""
    command = [str(_FACES), "page", "--url", grpc_url, "--port", "0", "--log-format", "none"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if line == "ready\n":
                    break
            found = re.search(r"^page +http://(\S+?)/$", "".join(said), re.MULTILINE)
            if found is None:
                raise BenchError(f"faces page did not start: {''.join(said)}")
            yield process.pid, found[1]
        finally:
            process.terminate()


def request_of(way: str, picture: Picture) -> tuple[bytes, str]:
    """Body and Content-Type."""
    if way == BODY:
        return picture.jpeg, "image/jpeg"
    if way == BASE64:
        return json.dumps({"images": [base64.b64encode(picture.jpeg).decode()]}).encode(), "application/json"
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="wall.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    tail = f"\r\n--{_BOUNDARY}--\r\n"
    return head.encode() + picture.jpeg + tail.encode(), f"multipart/form-data; boundary={_BOUNDARY}"


def _call(served: Served, way: str, picture: Picture, faces: int) -> Call:
    if way == GRPC:
        message = infer_request(MODEL, picture_tensors(picture, JPEG)).SerializeToString()
        return Call(served.grpc, message, True, faces)
    body, kind = request_of(way, picture)
    lines = (
        "POST /v1/detect HTTP/1.1",
        f"Host: {served.http}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
    )
    return Call(served.http, "\r\n".join((*lines, "", "")).encode() + body, False, faces)


def _alone(served: Served, picture: Picture, ways: Sequence[str], rounds: int, min_face_size: float) -> list[Alone]:
    """Each way in every round, in an order of its own: what one leaves behind meets all others."""
    order = random.Random(1)
    took: dict[str, list[float]] = {way: [] for way in ways}
    cpu = dict.fromkeys(ways, 0.0)
    connection = HTTPConnection(served.http)
    with FaceClient(served.grpc) as client, bar(f"one caller, {rounds} rounds", rounds) as tell:
        asks = {way: _asker(connection, way, picture, min_face_size) for way in ways if way != GRPC}
        asks[GRPC] = lambda: len(client.detect(picture.jpeg, min_face_size=min_face_size))
        for turn in range(-_WARM_UP, rounds):
            for way in order.sample(ways, len(ways)):
                used, start = cpu_seconds(served.gateway), time.perf_counter()
                asks[way]()
                seconds = time.perf_counter() - start
                if turn >= 0:
                    took[way].append(1000 * seconds)
                    cpu[way] += cpu_seconds(served.gateway) - used
            tell(max(0, turn))
    connection.close()
    return [
        Alone(
            way,
            Spread.of(times),
            percentiles(times, (95,))[0],
            Spread.of([mine - grpc for mine, grpc in zip(times, took[GRPC], strict=True)]),
            1000 * cpu[way] / rounds,
        )
        for way, times in took.items()
    ]


def _asker(connection: HTTPConnection, way: str, picture: Picture, min_face_size: float) -> Callable[[], int]:
    body, kind = request_of(way, picture)

    def ask() -> int:
        connection.request("POST", f"/v1/detect?min_face_size={min_face_size:g}", body, {"Content-Type": kind})
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise BenchError(f"the gateway says {response.status} {answer[:500]!r}")
        return len(json.loads(answer)["images"][0]["faces"])

    return ask


@dataclass(frozen=True)
class _Turn:
    """What a turn used of the processor, in seconds, and how much of it others did."""

    turn: Turn
    images: int
    server_cpu: float
    gateway_cpu: float
    other_cores: float

    @property
    def rate(self) -> float:
        return self.images / self.turn.seconds


def _many(served: Served, callers: dict[str, Callers], count: int, turns: int, images: int) -> list[Many]:
    done: dict[str, list[_Turn]] = {way: [] for way in callers}
    for turn in range(turns):
        for n in range(len(callers)):
            way = list(callers)[(turn + n) % len(callers)]
            if turn == 0:
                callers[way].ask(count, count)
            done[way].append(_turn(served, callers[way], count, images))
            say(f"{count} callers, turn {turn + 1} of {turns}, {way}: {done[way][-1].rate:.1f} images/s")
    return [_summed(count, way, each, done[GRPC]) for way, each in done.items()]


def _turn(served: Served, callers: Callers, count: int, images: int) -> _Turn:
    others = OtherLoad()
    server, gateway = cpu_seconds(served.server), cpu_seconds(served.gateway)
    turn = callers.ask(count, images)
    return _Turn(
        turn, images, cpu_seconds(served.server) - server, cpu_seconds(served.gateway) - gateway, others.cores()
    )


def _summed(count: int, way: str, turns: list[_Turn], of_grpc: list[_Turn]) -> Many:
    took = [1000 * seconds for turn in turns for seconds in turn.turn.took]
    images = sum(turn.images for turn in turns)

    def cpu(seconds: Iterable[float]) -> float:
        return 1000 * sum(seconds) / images

    median, late = percentiles(took, (50, 95))
    return Many(
        count,
        way,
        rate=Spread.of([turn.rate for turn in turns]),
        share=Spread.of([100 * turn.rate / grpc.rate for turn, grpc in zip(turns, of_grpc, strict=True)]),
        p50_ms=median,
        p95_ms=late,
        server_cpu=cpu(turn.server_cpu for turn in turns),
        gateway_cpu=cpu(turn.gateway_cpu for turn in turns),
        callers_cpu=cpu(turn.turn.cpu_s for turn in turns),
        other_cores=statistics.mean(turn.other_cores for turn in turns),
    )


if __name__ == "__main__":
    raise SystemExit(main())
