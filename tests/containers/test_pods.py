"""The chart's workload on a CPU, played by Podman: pods get healthy, find a face, and are replaced under load."""

import json
import os
from pathlib import Path

import pytest

from face_bench.metrics import scrape
from tests.containers.images import TAG
from tests.containers.kubelet import Pod
from tests.containers.podman import mounts, wait_until
from tests.deploy.charts import render
from tests.pictures import DATA

# A thread each: three replicas share what may be two cores.
VALUES = {
    "image": {"registry": "localhost", "tag": TAG},
    "server": {"options": ["--http-host", "127.0.0.1", "--threads", "1"]},
}
CALLER = Path(__file__).with_name("caller.py")


@pytest.fixture(scope="module")
def network(podman):
    """Where pods and callers find each other by name."""
    name = f"faces-{os.getpid()}"
    podman("network", "create", name)
    yield name
    podman("network", "rm", "--force", name)


@pytest.fixture(scope="module")
def start(podman, built, network, tmp_path_factory):
    """Starts a replica of the rendered Deployment, which answers to the service's name from then on."""
    template = render(VALUES)["Deployment", "faces"]["spec"]["template"]
    assert [each["image"] for each in template["spec"]["containers"]] == [built["cpu"]]
    folder = tmp_path_factory.mktemp("pods")
    pods = []

    def new(name):
        pods.append(Pod(podman, template, name, network, "faces", folder))
        pods[-1].start()
        return pods[-1]

    yield new
    for pod in pods:
        pod.remove()


@pytest.fixture(scope="module")
def pod(start):
    first = start(f"faces-a-{os.getpid()}")
    first.wait_until_ready()
    return first


@pytest.fixture
def calling(podman, built, network):
    """A container whose callers ask all replicas that the name has. Returns what counts and ends it."""
    name = f"caller-{os.getpid()}"
    volumes = mounts(f"{CALLER}:/caller.py:ro", f"{DATA / 'astronaut.png'}:/photo.png:ro")
    command = ("--entrypoint", "python3", built["load"], "/caller.py", "dns:///faces:8001", "/photo.png")
    podman("run", "--detach", "--name", name, "--network", network, *volumes, *command)
    wait_until(lambda: "asking" in podman("logs", name), 60, "a first answer")

    def end():
        podman("stop", "--time", "60", name)
        return json.loads(podman("logs", name).splitlines()[-1])

    yield end
    print(podman("logs", name))
    podman("rm", "--force", name)


def answered(pod):
    """Requests that the cascade of a pod has answered, as Prometheus reads them."""
    return scrape(f"http://{pod.address}:8002/metrics").total("nv_inference_request_success", model="mtcnn") or 0.0


def test_a_pod_is_confined_as_the_chart_has_it(podman, pod):
    found = podman.inspect(pod.container)
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert not found["EffectiveCaps"]
    assert "no-new-privileges" in found["HostConfig"]["SecurityOpt"]
    sizes = podman("exec", pod.container, "df", "--output=target,fstype,size", "--block-size=1M", "/dev/shm")
    assert sizes.splitlines()[1].split() == ["/dev/shm", "tmpfs", "4096"]
    assert podman("exec", pod.container, "id", "-u").strip() == "1000"
    written = podman("exec", pod.container, "sh", "-c", "touch /models/x 2>&1 || true")
    assert "Read-only" in written


def test_replacing_a_pod_fails_no_request(pod, start, calling):
    new = start(f"faces-b-{os.getpid()}")
    new.wait_until_ready()
    wait_until(lambda: answered(new) > 20, 30, "the new pod is asked too")
    assert pod.stop() == 0
    pod.remove()
    before = answered(new)
    wait_until(lambda: answered(new) > before + 50, 60, "the new pod alone")
    answers = calling()
    assert set(answers) == {"1 faces"}, answers
    assert answers["1 faces"] > 100
