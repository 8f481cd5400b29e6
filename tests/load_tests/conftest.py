"""A report with every part, made up."""

import pytest

from face_bench.alternatives import Alternative
from face_bench.contenders import OURS_JPEG, OURS_RAW, Agreement, Unmatched
from face_bench.floor import Floor
from face_bench.latency import Latency, ratios
from face_bench.machine import Machine
from face_bench.many_clients import MemorySample, MemoryUse, SweepStep
from face_bench.peer_rates import PeerRate
from face_bench.peers import PeerStatus
from face_bench.report import Report, RunSettings
from face_bench.spread import Spread
from face_bench.stages import Breakdown

PICTURE = "wall 960x540"


def machine():
    packages = {"torch": "2.13.0"}
    return Machine("Some CPU", 2, 16, "Linux x86_64", "3.11.7", packages, "2026-01-02T03:04:05+00:00", "abc")


def latency(contender, milliseconds, picture=PICTURE):
    spread = Spread.of([0.9 * milliseconds, milliseconds, 1.1 * milliseconds])
    return Latency(picture, 960, 540, contender, spread, spread.iqr, 1e3 / spread.median, 10)


def floor(contender, candidates):
    return Floor(PICTURE, contender, 1.3, 1.0, 1.4, candidates, candidates, 12.5, 50, 4.0)


def breakdown(contender):
    stages = {"decode": 5.0, "pnet": 30.0, "transport": 15.0}
    return Breakdown(PICTURE, contender, 50, stages, {"pnet": 45.0, "rnet": 7.0}, {"pnet": 9, "rnet": 300})


def sweep_step(clients, errors):
    return SweepStep(clients, 8.0, 160, 20.0, 50, 90, float("nan"), errors, {"mtcnn": 1.5}, 1.9, 0.02, 0.01)


@pytest.fixture
def report():
    latencies = [latency(OURS_RAW, 50), latency(OURS_JPEG, 55), latency("facenet-pytorch", 200)]
    more = [latency(OURS_RAW, 200, "page"), latency("facenet-pytorch", 1000, "page")]
    crowds = [latency(OURS_RAW, 1750, "crowd"), latency("facenet-pytorch", 19_250, "crowd")]
    extra = Unmatched(OURS_RAW, (10.0, 20.0, 31.0, 42.0), 0.71)
    return Report(
        machine(),
        RunSettings(
            warm_up=3, rounds=15, networks="auto", jpeg_quality=95, sweep_seconds=8, crowd_rounds=3, few_rounds=5
        ),
        peers=[PeerStatus("facenet-pytorch", {"torch": "2.2.2"}), PeerStatus("ipazc mtcnn", {}, "no | network")],
        latency=latencies,
        more=more,
        crowds=crowds,
        ratios=ratios([*latencies, *more, *crowds], (OURS_RAW, OURS_JPEG)),
        agreement=[Agreement(PICTURE, OURS_RAW, "facenet-pytorch", 10, 0.0004, (extra,))],
        other_cores=0.5,
        matrix_gflops=265.0,
        floor=[floor(OURS_RAW, 300.0), floor(OURS_JPEG, None)],
        stages=[breakdown(OURS_RAW), breakdown(OURS_JPEG)],
        other_detectors=[PeerStatus("BlazeFace", {"version": "1"}), PeerStatus("CenterFace", {}, "no wheel")],
        alternatives=[Alternative(PICTURE, "BlazeFace", Spread.of([9.0, 10.0, 11.0]), 0.2, 10, 4, 1)],
        sweep=[sweep_step(1, {}), sweep_step(32, {"UNAVAILABLE": 2})],
        peer_rates=[PeerRate("facenet-pytorch", 2, 5, 30, 4.0, 20.0, 5.0, 0.01)],
        memory=MemoryUse(2000, 8, {}, 5, 1500, 1200, -0.5, [MemorySample(0, 1400, 1100)]),
    )


@pytest.fixture
def empty_report():
    return Report(machine(), RunSettings(0, 0, "auto", 95, 0, 0, 0))
