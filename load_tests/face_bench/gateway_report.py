"""What the measurement of the gateway found, and its tables."""

from dataclasses import dataclass

from face_bench.machine import Machine
from face_bench.output import Table
from face_bench.spread import Spread


@dataclass(frozen=True)
class Alone:
    """One caller, ms. more: than gRPC in the same round. gateway_cpu: the gateway's processor time for an image."""

    way: str
    took: Spread
    p95: float
    more: Spread
    gateway_cpu: float


@dataclass(frozen=True)
class Many:
    """rate: images a second. share: in per cent of gRPC's in the same turn. cpu: ms for an image, of server, gateway
    and callers. other_cores: what else the machine did, in cores."""

    callers: int
    way: str
    rate: Spread
    share: Spread
    p50_ms: float
    p95_ms: float
    server_cpu: float
    gateway_cpu: float
    callers_cpu: float
    other_cores: float


@dataclass(frozen=True)
class Report:
    """bytes: of the file. min_face_size: what one caller looked for."""

    machine: Machine
    picture: str
    bytes: int
    min_face_size: float
    alone: list[Alone]
    many: list[Many]


def tables(report: Report) -> list[Table]:
    """Those that have rows."""
    picture = f"{report.picture}, {report.bytes / 1000:.0f} kB"
    alone = Table(
        f"One caller, {picture}, faces from {report.min_face_size:g} pixels: ms",
        ("way", "median", "95 %", "more than gRPC", "quartiles", "gateway's CPU"),
        tuple(
            (
                each.way,
                f"{each.took.median:.1f}",
                f"{each.p95:.1f}",
                f"{each.more.median:+.1f}",
                f"{each.more.quartile_1:+.1f} … {each.more.quartile_3:+.1f}",
                f"{each.gateway_cpu:.1f}",
            )
            for each in report.alone
        ),
        notes=("more than gRPC: the median difference within a round",),
    )
    many = Table(
        f"Many callers, {picture}",
        (
            "callers",
            "way",
            "images/s",
            "of gRPC's",
            "median ms",
            "95 %",
            "CPU ms: server",
            "gateway",
            "callers",
            "others",
        ),
        tuple(
            (
                str(each.callers),
                each.way,
                f"{each.rate.median:.1f}",
                f"{each.share.median:.0f} ({each.share.quartile_1:.0f}–{each.share.quartile_3:.0f})",
                f"{each.p50_ms:.0f}",
                f"{each.p95_ms:.0f}",
                f"{each.server_cpu:.1f}",
                f"{each.gateway_cpu:.1f}",
                f"{each.callers_cpu:.1f}",
                f"{each.other_cores:.2f}",
            )
            for each in report.many
        ),
        labels=2,
        notes=(
            "images/s: the median turn. % of gRPC's: in the same turn, median and quartiles",
            "CPU: ms of an image. others: cores that everything else on the machine used",
        ),
    )
    return [table for table in (alone, many) if table.rows]
