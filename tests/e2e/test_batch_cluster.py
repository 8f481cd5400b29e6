"""`faces batch` beyond one machine's workers: two Ray nodes of which one dies, and servers."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pyarrow.dataset as ds
import pytest
from prometheus_client.parser import text_string_to_metric_families

from face_server.ports import free_ports
from tests.e2e.batches import SHARD_SIZE, family, hold_worker, kill, parts, run, start, wait_for

RAY = str(Path(sys.executable).with_name("ray"))
HEAD, OTHER = "127.0.0.2", "127.0.0.3"


def node(environment, *arguments):
    command = [RAY, "start", "--block", "--num-cpus=1", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def cluster():
    """Address, environment with the token, and the second of two nodes of one core each."""
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    (port,) = free_ports((HEAD,), (0,))
    head = node(environment, "--head", f"--port={port}", f"--node-ip-address={HEAD}", "--include-dashboard=false")
    address = f"{HEAD}:{port}"
    other = None
    try:
        wait_for(lambda: alive(address, environment) >= 1)
        other = node(environment, f"--address={address}", f"--node-ip-address={OTHER}")
        wait_for(lambda: alive(address, environment) == 2)
        yield address, environment, other
    finally:
        for process in filter(None, (other, head)):
            end(process)


def alive(address, environment):
    """Nodes of a cluster."""
    script = "import ray, sys; ray.init(sys.argv[1]); print(sum(node['Alive'] for node in ray.nodes()))"
    told = subprocess.run([sys.executable, "-c", script, address], env=environment, capture_output=True, text=True)
    return int(told.stdout or 0)


def end(process):
    """A node with all of its processes, at once, as a machine does that loses its power."""
    for each in [*family(process), psutil.Process(process.pid)] if process.poll() is None else []:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGKILL)
    process.wait()


def test_a_node_dies_in_the_middle(batch_source, undisturbed, cluster, tmp_path):
    address, environment, other = cluster
    (port,) = free_ports(("127.0.0.1",), (0,))
    arguments = (batch_source, tmp_path, "--shard-size", SHARD_SIZE, "--ray", address, "--metrics-port", port)
    process = start(*arguments, env=environment)
    hold_worker(other)
    wait_for(lambda: list(tmp_path.glob("part-*")))
    assert counted(port)["faces_batch_items_total"] > 0
    end(other)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, out + err
    assert "is tried again: its worker ended" in err
    assert parts(tmp_path) == parts(undisturbed)
    assert "complete" in run("verify", tmp_path)


def counted(port):
    deadline = time.monotonic() + 30
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        samples = {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}
        if samples["faces_batch_items_total"] or time.monotonic() > deadline:
            return samples
        time.sleep(0.2)


def test_a_cluster_takes_nobody_without_its_token(batch_source, cluster, tmp_path):
    address, environment, _ = cluster
    told = run(
        batch_source, tmp_path, "--ray", address, status=1, env={**environment, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    )
    assert f"Ray at {address} does not" in told


def test_no_cluster(batch_source, tmp_path):
    (port,) = free_ports((HEAD,), (0,))
    assert "does not answer: Connection refused" in run(batch_source, tmp_path, "--ray", f"{HEAD}:{port}", status=1)


def faces(target):
    """What was found, to the fourth digit."""
    rows = ds.dataset(target).to_table().to_pylist()
    return [
        (row["path"], row["status"], row["face"], None if row["face"] is None else [round(x, 2) for x in row["box"]])
        for row in rows
    ]


def test_servers_elsewhere(batch_source, undisturbed, triton, tmp_path):
    run(batch_source, tmp_path, "--shard-size", SHARD_SIZE, "--url", triton.grpc_url, "--workers", 2)
    assert faces(tmp_path) == faces(undisturbed)


def test_no_server(batch_source, tmp_path):
    (port,) = free_ports(("127.0.0.1",), (0,))
    told = run(batch_source, tmp_path, "--limit", 2, "--url", f"127.0.0.1:{port}", "--retries", 0, status=1)
    assert f"no server with model 'mtcnn' is ready at 127.0.0.1:{port}" in told


def test_a_server_on_each_node_that_is_killed(batch_source, undisturbed, tmp_path):
    process = start(batch_source, tmp_path, "--shard-size", SHARD_SIZE, "--mode", "node")
    wait_for(lambda: list(tmp_path.glob("part-*")), 120)
    (server,) = [each for each in family(process) if each.name() == "tritonserver"]
    below = family(process)
    server.kill()
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, out + err
    assert faces(tmp_path) == faces(undisturbed)
    psutil.wait_procs(below, timeout=30)
    assert not [each for each in below if each.is_running() and each.name() == "tritonserver"]


def test_the_server_of_a_node_ends_with_its_run(batch_source, tmp_path):
    process = start(batch_source, tmp_path, "--shard-size", SHARD_SIZE, "--mode", "node")
    wait_for(lambda: any(each.name() == "tritonserver" for each in family(process)), 120)
    kill(process)
