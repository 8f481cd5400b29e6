"""The check of a GPU machine: its arithmetic, its pictures, its clients; and that a report can be shown."""

import json
import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from face_bench.contenders import FoundFaces
from face_bench.gpu import check, clients, command, reference
from face_bench.gpu.agreement import difference
from face_bench.gpu.card import CardWatcher
from face_bench.gpu.reference import ReferenceSpeed, _rate
from face_bench.gpu.report import Configuration, Report, Soak, Step, best, tables
from face_bench.gpu.scenes import scenes
from face_bench.output import markdown, to_json
from face_bench.pictures import PORTRAIT, Picture, photo
from face_bench.wire import Request
from face_repository import configurations
from tests.load_tests.conftest import machine

REPOSITORY = Path(__file__).parents[2] / "model_repository"


def faces(*boxes, probability=0.9):
    boxes = np.array(boxes, float)
    return FoundFaces.of(boxes, [probability] * len(boxes), np.repeat(boxes[:, None, :2], 5, axis=1))


def test_differences_are_of_matched_faces():
    ours = faces((0.5, 0, 100, 100), (300, 0, 340, 40), probability=0.75)
    theirs = faces((0, 0, 100, 100), (500, 0, 540, 40), probability=0.5)
    found = difference("wall", "raw", ours, theirs)
    assert (found.expected, found.found, found.matched, found.same_faces) == (2, 2, 1, False)
    assert (found.box, found.landmark, found.probability) == (0.5, 0.5, 0.25)


def test_nothing_found_by_both_is_the_same():
    nothing = FoundFaces.of([], [], [])
    found = difference("sky", "raw", nothing, nothing)
    assert found.same_faces
    assert found.box is None
    assert not difference("sky", "raw", faces((0, 0, 9, 9)), nothing).same_faces


@pytest.mark.parametrize(
    ("count", "cores", "processes"), [(1, 16, 1), (8, 16, 2), (32, 16, 4), (64, 16, 4), (32, 2, 1), (3, 64, 1)]
)
def test_many_clients_are_in_several_processes(count, cores, processes):
    assert clients.processes_for(count, cores) == processes
    shares = clients.shares(count, processes)
    assert sum(shares) == count
    assert max(shares) - min(shares) <= 1


@pytest.mark.slow
def test_clients_in_processes_count_their_errors_and_their_time():
    nobody = f"127.0.0.1:{unused_port()}"
    with clients.Clients(nobody, [Request("a", b"", 1)], 3, 2) as load:
        time.sleep(0.5)
        latencies, errors = load.between(0, time.perf_counter())
        assert load.between(0, 0) == ([], {})
        assert load.cpu_seconds() > 0
    assert latencies == []
    assert list(errors) == ["UNAVAILABLE"]
    assert errors["UNAVAILABLE"] >= 3


def unused_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.slow
def test_scenes_are_all_different_and_always_the_same():
    portrait = photo(PORTRAIT)
    other = Picture.of_pixels("other", np.ascontiguousarray(portrait.pixels[::-1]))
    made = scenes([portrait, other])
    assert {picture.pixels.shape for picture in made} == {(1080, 1920, 3)}
    assert len({picture.jpeg for picture in made}) == len(made) == 8
    assert [picture.jpeg for picture in made] == [picture.jpeg for picture in scenes([portrait, other])]


def test_an_edited_repository_has_so_many_instances_and_the_source_has_not(tmp_path):
    check.edited_repository(REPOSITORY, tmp_path / "edited", 4)
    groups = configurations.read(tmp_path / "edited/mtcnn/config.pbtxt").instance_group
    assert [group.count for group in groups] == [1, 1, 1, 1]
    # Groups that differ: the supervisor ends one at a time.
    assert [group.rate_limiter.priority for group in groups] == [1, 2, 3, 4]
    assert len(configurations.read(REPOSITORY / "mtcnn/config.pbtxt").instance_group) == 6
    check.edited_repository(REPOSITORY, tmp_path / "same", None)
    same, source = (folder / "mtcnn/config.pbtxt" for folder in (tmp_path / "same", REPOSITORY))
    assert same.read_bytes() == source.read_bytes()


def test_without_the_device_a_server_sees_no_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with check.visible("cuda"):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
    with check.visible("cpu"):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with check.visible("cpu"):
        pass
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


STEP = Step(
    configuration="bls, decode cpu",
    model="mtcnn",
    clients=8,
    seconds=5,
    images=500,
    images_per_second=100,
    p50_ms=70,
    p95_ms=90,
    errors={},
    batch={"mtcnn": 4.0},
    server_ms=30,
    client_ms=1,
    client_processes=2,
    server_cores=3,
    other_cores=0,
    gpu_percent=None,
    gpu_memory_mb=None,
    stages={"pnet": 3.0},
)


def test_the_best_setting_has_next_to_no_errors():
    wrong = replace(STEP, images_per_second=300, errors={"UNAVAILABLE": 6})
    few = replace(STEP, images_per_second=200, errors={"UNAVAILABLE": 5})
    assert best([STEP, wrong, few]) is few
    assert best([wrong, replace(STEP, images=0, images_per_second=0)]) is None


def test_time_that_is_reserved_is_not_there():
    assert check.Budget(100, reserved=60).left == pytest.approx(40, abs=1)
    assert check.Budget(100, started=time.monotonic() - 130).left < 0


def test_a_report_can_be_shown_whole_and_empty():
    empty = Report(machine(), None, "cuda", "")
    assert "no NVIDIA card" in markdown([empty.head()], tables(empty))
    whole = Report(
        machine(),
        None,
        "cuda",
        "abc",
        reference=ReferenceSpeed("cuda", "2.11", 25.0, None),
        exactness={"bls": [difference("wall", "raw", faces((0, 0, 9, 9)), faces((0, 0, 9, 9)))]},
        steps=[STEP],
        soak=Soak("bls, decode cpu", 8, 60, 6000, {}, 0, 800, 801, float("nan"), None),
        left_out=["soak: 3 s are left"],
    )
    text = markdown([whole.head()], tables(whole))
    assert "| one at a time | 25.00 | 4.0 |" in text
    assert "random weights: speed only" in text
    assert "left out: soak" in text
    assert json.loads(to_json(whole))["soak"]["slope_mb_a_minute"] is None


def test_a_rate_is_images_over_time(monkeypatch):
    now, calls = [0.0], []

    def run(n):
        calls.append(n)
        now[0] += 0.02
        return 3

    monkeypatch.setattr(reference.time, "perf_counter", lambda: now[0])
    assert _rate(run, 2, 0.1) == pytest.approx(3 / 0.02)
    assert calls[:2] == [0, 1]
    assert _rate(run, 2, 0) is None


def test_without_a_card_there_is_nothing_to_tell(monkeypatch):
    monkeypatch.setattr("face_bench.gpu.card._nvml", lambda: None)
    with CardWatcher() as watcher:
        assert watcher.between(0, time.perf_counter()) is None


def test_arguments_are_lists():
    args = command._parser().parse_args(["--clients", "8,1,8", "--networks", "local", "--instances", "2,4"])
    assert (args.clients, args.networks, args.instances) == ((1, 8), ("local",), (2, 4))
    plans = [command._plan(command._parser().parse_args(["--device", device])) for device in ("cpu", "cuda")]
    assert [plan.decode for plan in plans] == [("cpu",), ("auto", "cpu")]
    assert Configuration("bls", "gpu", 4).name == "bls, decode gpu, 4 instances"
    for wrong in (["--networks", "gpu"], ["--decode", "bls"], ["--clients", "0"]):
        with pytest.raises(SystemExit):
            command._parser().parse_args(wrong)
