"""docker-compose.yml, started: exporter, a CPU's server, page, Prometheus, locust, and what becomes of them in trouble.

The tests run in their order; the last ones kill and stop what the first ones use.
"""

import io
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

from face_cascade import code_cache
from face_client import FaceClient, FaceError
from tests.containers.podman import STARTING, wait_until
from tests.deploy.containers import SERVICES, filled_in
from tests.pictures import DATA, reference, wall

PHOTO = DATA / "astronaut.png"
RUNNING = ("triton-cpu", "page", "prometheus", "locust")
pytestmark = pytest.mark.usefixtures("server")
# With the /proc file system alone: the image has neither ps nor pkill.
PROCESSES = 'for p in /proc/[0-9]*; do if grep -q "$1" $p/cmdline; then echo ${p#/proc/}; fi; done'


@pytest.fixture(scope="module")
def compose(stack):
    with stack(*RUNNING) as it:
        yield it


@pytest.fixture(scope="module")
def server(compose, podman):
    """The container of the server, once it is healthy by its own check."""
    name = compose.container("triton-cpu")
    wait_until(lambda: podman.healthy(name), STARTING, "a healthy server")
    return name


@pytest.fixture
def url(compose):
    return f"127.0.0.1:{compose.environment['TRITON_FACES_GRPC_PORT']}"


def ask(compose, name, path, data=None):
    """A page of one of the services, as JSON."""
    address = f"http://127.0.0.1:{compose.environment[f'TRITON_FACES_{name}_PORT']}{path}"
    with urlopen(address, None if data is None else urlencode(data).encode(), timeout=10) as answer:
        return json.loads(answer.read())


def finds_the_face(url, **options):
    with FaceClient(url, **options) as client:
        found = client.detect(PHOTO)
    boxes, _, _ = reference("astronaut.png", 20)
    return len(found) == len(boxes) == 1 and np.allclose(found[0].box, boxes[0], atol=0.5)


def found_again(url):
    try:
        return finds_the_face(url, timeout=5)
    except FaceError:
        return False


def test_the_exporter_ends_and_the_server_finds_the_face(compose, podman, url):
    assert podman.inspect(compose.container("exporter"))["State"]["ExitCode"] == 0
    assert finds_the_face(url)


@pytest.mark.parametrize("service", ["exporter", *RUNNING])
def test_an_ordinary_user_without_rights_on_a_root_that_cannot_be_written(compose, podman, service):
    found = podman.inspect(compose.container(service))
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert not found["EffectiveCaps"]
    assert found["Config"]["User"].split(":")[0] not in ("", "0", "root")
    assert "no-new-privileges" in found["HostConfig"]["SecurityOpt"]
    assert found["HostConfig"]["PidsLimit"] == SERVICES[service]["pids_limit"]


@pytest.mark.parametrize("service", RUNNING)
def test_its_processes_have_what_was_asked_for(compose, podman, service):
    """From inside, as the kernel says it."""
    container = compose.container(service)
    status = dict(line.split(":\t", 1) for line in podman("exec", container, "cat", "/proc/1/status").splitlines())
    owner, group = (filled_in(SERVICES[service]["user"])).split(":")
    assert status["Uid"].split() == [owner] * 4
    assert status["Gid"].split() == [group] * 4
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    written = podman("exec", container, "sh", "-c", "touch /etc/x /usr/x /root/x /models/x 2>&1 || true")
    assert written.count("Read-only file system") + written.count("ermission denied") + written.count("No such") == 4


def test_the_server_has_its_memory(podman, server):
    """4 GiB of /dev/shm, which most of what runs containers gives 64 MiB of."""
    sizes = podman("exec", server, "df", "--output=target,size", "--block-size=1M", "/dev/shm", "/tmp")
    assert dict(line.split() for line in sizes.splitlines()[1:]) == {"/dev/shm": "4096", "/tmp": "256"}


def test_machine_code_is_kept_in_a_volume_of_the_servers_user(podman, server):
    folder = SERVICES["triton-cpu"]["environment"][code_cache.VARIABLE]
    assert podman("exec", server, "stat", "--format=%a %u", folder).split() == ["700", "1000"]
    kept = podman("exec", server, "sh", "-c", f"ls {folder}/*.code").split()
    # Of the averages, the suppression and the networks.
    assert len(kept) == 8


def test_prometheus_sees_the_server_and_has_its_rules(compose):
    def up():
        found = ask(compose, "PROMETHEUS", "/api/v1/query?query=up")["data"]["result"]
        return {each["metric"]["job"]: each["value"][1] for each in found} == {"triton": "1", "supervisor": "1"}

    wait_until(up, 60, "both of Prometheus' targets")
    groups = ask(compose, "PROMETHEUS", "/api/v1/rules")["data"]["groups"]
    assert {rule["name"] for group in groups for rule in group["rules"]} >= {"NoAnswers"}
    assert all(rule["health"] != "err" for group in groups for rule in group["rules"])


def test_the_page_finds_the_face_for_whoever_speaks_http(compose, podman):
    wait_until(lambda: podman.healthy(compose.container("page")), 60, "a healthy page")
    address = f"http://127.0.0.1:{compose.environment['TRITON_FACES_PAGE_PORT']}"
    with urlopen(f"{address}/health/ready", timeout=10) as answer:
        assert json.load(answer) == {"ready": True}
    request = Request(f"{address}/v1/detect", PHOTO.read_bytes(), {"Content-Type": "image/png"})
    with urlopen(request, timeout=30) as answer:
        ((face,),) = [image["faces"] for image in json.load(answer)["images"]]
    assert face["box"] == pytest.approx(reference("astronaut.png", 20)[0][0], abs=0.5)


def test_the_page_without_keys_answers_to_no_other_name(compose):
    """A site whose name was made to point at this machine would ask with it."""
    address = f"http://127.0.0.1:{compose.environment['TRITON_FACES_PAGE_PORT']}"
    with pytest.raises(HTTPError, match="403"):
        urlopen(Request(f"{address}/v1/service", headers={"Host": "elsewhere.example"}), timeout=10)


def test_locust_loads_the_server(compose, podman):
    wait_until(lambda: podman.healthy(compose.container("locust")), 60, "locust's page")
    ask(compose, "LOCUST", "/swarm", {"user_count": 2, "spawn_rate": 2, "host": "triton:8001"})
    wait_until(lambda: total(compose)["num_requests"] >= 20, 60, "answers")
    ask(compose, "LOCUST", "/stop", {})
    assert total(compose)["num_failures"] == 0


def total(compose):
    (found,) = [each for each in ask(compose, "LOCUST", "/stats/requests")["stats"] if each["name"] == "Aggregated"]
    return found


def test_a_killed_triton_comes_back_in_the_same_container(podman, server, url):
    def triton():
        return podman("exec", server, "sh", "-c", PROCESSES, "sh", "[t]ritonserver/bin").split()

    before, (killed,) = podman.inspect(server)["State"], triton()
    podman("exec", server, "sh", "-c", f"kill -9 {killed}")
    wait_until(lambda: triton() not in ([], [killed]) and found_again(url), STARTING, "the face again")
    after = podman.inspect(server)["State"]
    assert (after["Pid"], after["StartedAt"]) == (before["Pid"], before["StartedAt"]), "the supervisor's work alone"


def test_a_killed_container_is_started_again(podman, server, url):
    before = podman.inspect(server)["State"]
    os.kill(before["Pid"], signal.SIGKILL)
    wait_until(lambda: podman.inspect(server)["State"]["Pid"] not in (0, before["Pid"]), 60, "another first process")
    wait_until(lambda: found_again(url), STARTING, "the face again")
    assert podman.healthy(server)


def test_a_stop_answers_what_was_accepted(compose, podman, server, url):
    """Pictures that take the server seconds, and no time to arrive, are with it when it is told to stop."""
    file = io.BytesIO()
    Image.fromarray(wall(3000, 2000)).save(file, "JPEG")
    picture = file.getvalue()
    with FaceClient(url, retries=0, timeout=60) as client, ThreadPoolExecutor(32) as pool:
        faces = len(client.detect(picture))
        sent = [pool.submit(client.detect, picture) for _ in range(32)]
        time.sleep(0.5)
        assert sum(not each.done() for each in sent) >= 8, "they are there, and not answered yet"
        begun = time.monotonic()
        compose("stop", "triton-cpu", timeout=70)
        took = time.monotonic() - begun
        assert [len(each.result()) for each in sent] == [faces] * 32
    state = podman.inspect(server)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)
    assert took < 50, "before it would have been killed"
