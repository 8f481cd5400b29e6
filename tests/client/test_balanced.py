"""Clients of several servers, FaceClient and AsyncFaceClient, over real gRPC."""

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_client import (
    AsyncFaceClient,
    Cancelled,
    DeadlineExceeded,
    FaceClient,
    FaceError,
    Faces,
    InvalidInput,
    ModelNotLoaded,
    ServerOverloaded,
    ServerUnavailable,
    endpoints,
)
from face_client.options import URL_VARIABLE
from tests.client.small_server import SmallServer, free_url, server_process

FACES = Path(sys.executable).with_name("faces")


def pictures(*rows):
    return [np.zeros((count, 20, 3), np.uint8) for count in rows]


def counts(answers):
    """How many faces each answer has; errors by name."""
    return [len(answer) if isinstance(answer, Faces) else type(answer).__name__ for answer in answers]


def batch(client, images, in_flight=8):
    return counts(client.detect_each(images, in_flight=in_flight))


def one(client, image):
    return len(client.detect(image))


@pytest.fixture
def two():
    servers = SmallServer(), SmallServer()
    yield servers
    for server in servers:
        server.stop()


def urls(servers):
    return [server.url for server in servers]


def test_requests_are_spread_and_answers_come_in_order(twin, two):
    rows = np.random.RandomState(0).randint(1, 12, 60).tolist()
    assert batch(twin(", ".join(urls(two))), pictures(*rows)) == rows
    assert sum(server.calls for server in two) == 60
    assert min(server.calls for server in two) >= 10
    assert not any(server.probes for server in two)


def test_the_one_with_less_to_do_is_asked(twin, two):
    client = twin(urls(two))
    # Connected to both: else one that is slow to connect has less to do, and no answers.
    assert batch(client, pictures(*[2] * 8)) == [2] * 8
    before = [server.calls for server in two]
    two[0].seconds = 0.1
    # Answers come in order, so that the slow ones hold up the others: with four in flight it is close to even.
    assert batch(client, pictures(*[2] * 40), in_flight=8) == [2] * 40
    assert two[0].calls - before[0] < two[1].calls - before[1]


def test_one_that_is_gone_from_the_start_costs_nobody_an_answer(twin, two):
    """A single retry is enough: it goes to the other one."""
    client = twin([free_url(), two[0].url], retries=1)
    assert batch(client, pictures(*[3] * 60), in_flight=16) == [3] * 60


@pytest.mark.slow
def test_one_that_is_killed_under_load_costs_nobody_an_answer(twin, two):
    with server_process() as (process, url):
        client = twin([url, two[0].url], retries=1)

        def kill_on_the_way():
            for number in range(200):
                if number == 60:
                    process.kill()
                yield from pictures(1 + number % 12)

        assert batch(client, kill_on_the_way(), in_flight=16) == [1 + number % 12 for number in range(200)]
    assert 0 < two[0].calls < 200


def test_one_that_gives_its_calls_up_costs_nobody_an_answer(twin, two):
    two[0].mode = "cancel"
    assert batch(twin(urls(two), retries=1), pictures(*[3] * 60), in_flight=16) == [3] * 60
    assert two[0].calls < 40


def test_one_that_comes_back_is_asked_again(twin, two):
    two[0].stop()
    client = twin(urls(two), retries=1)
    assert batch(client, pictures(*[1] * 30)) == [1] * 30
    assert two[0].calls == 0
    two[0].start()
    give_up = time.monotonic() + 60
    while not two[0].calls and time.monotonic() < give_up:
        assert batch(client, pictures(*[1] * 30)) == [1] * 30
    assert two[0].calls
    assert two[0].probes, "it was asked first whether it is there"


def test_a_full_queue_sends_its_requests_elsewhere(twin, two):
    two[0].mode = "refuse"
    assert batch(twin(urls(two)), pictures(*[4] * 100)) == [4] * 100
    assert two[0].calls < 20


def test_an_overload_of_all_is_not_multiplied(twin, two):
    for server in two:
        server.mode = "refuse"
    assert set(batch(twin(urls(two), retries=50), pictures(*[4] * 100), in_flight=32)) == {"ServerOverloaded"}
    # The budget: ten retries, and one for every five requests.
    assert 100 < sum(server.calls for server in two) <= 100 + 10 + 20


def test_a_bad_request_is_asked_about_once_and_no_servers_fault(twin, two):
    client = twin(urls(two))
    for _ in range(20):
        with pytest.raises(InvalidInput, match="unlucky"):
            one(client, pictures(13)[0])
    assert sum(server.calls for server in two) == 20
    assert min(server.calls for server in two) > 0


@pytest.mark.slow
def test_one_that_hangs_costs_a_share_of_the_time_and_is_left_alone(twin, two):
    two[0].mode = "hang"
    client = twin(urls(two), timeout=2)
    for _ in range(20):
        assert one(client, pictures(5)[0]) == 5
    # It says that it is there when it is probed, so now and then one more is sent there.
    assert two[0].calls <= 4
    assert two[1].calls == 20


@pytest.mark.slow
def test_a_callers_tiny_deadline_is_no_servers_fault(twin, two):
    """Whoever is patient goes on with both."""
    for server in two:
        server.seconds = 0.3
    client = twin(urls(two))
    for _ in range(4):
        client.set_timeout(0.05)
        with pytest.raises(DeadlineExceeded):
            one(client, pictures(5)[0])
        client.set_timeout(30)
        assert batch(client, pictures(1, 1)) == [1, 1]
    assert not any(server.probes for server in two), "nobody was put aside"


def test_a_model_that_no_server_has_is_said_at_once(twin, two):
    client = twin(urls(two))
    waited = client.pauses()
    with pytest.raises(ModelNotLoaded, match="'face_recognition' is not found"):
        client.recognize(pictures(5)[0])
    assert [server.calls for server in two] == [1, 1]
    assert waited == []
    assert batch(client, pictures(*[3] * 20)) == [3] * 20
    assert not any(server.probes for server in two), "nobody was put aside"


def test_a_model_that_one_server_has_is_found_there(twin, two):
    two[1].models = {"mtcnn", "mine"}
    client = twin(urls(two), model="mine", retries=0)
    assert batch(client, pictures(*[2] * 20)) == [2] * 20
    assert two[1].calls == 20
    assert not any(server.probes for server in two)


def test_a_model_that_one_server_is_still_loading_is_asked_of_the_other(twin, two):
    """Whoever asks for another model goes on with both."""
    two[0].loading = {"mine"}
    two[1].models = {"mtcnn", "mine"}
    client = twin(urls(two), model="mine", retries=0)
    assert batch(client, pictures(*[2] * 20)) == [2] * 20
    assert two[1].calls == 20
    assert not any(server.probes for server in two), "nobody was put aside"


def test_a_server_that_comes_back_without_the_model_of_one_caller_serves_the_others(twin, two, monkeypatch):
    """Its probe says that it is there, whatever it says of the model."""
    # During a pause the other's "not found" would send the request here all the same, and the answer spares the probe.
    monkeypatch.setattr(endpoints, "_FIRST_PAUSE_S", 0.0)
    two[0].stop()
    client = twin(urls(two), retries=1)
    assert batch(client, pictures(*[1] * 20)) == [1] * 20
    two[0].start()
    give_up = time.monotonic() + 60
    while not two[0].probes and time.monotonic() < give_up:
        with pytest.raises(FaceError):
            client.recognize(pictures(5)[0])
        time.sleep(0.02)
    assert two[0].probes
    while two[0].calls < 10 and time.monotonic() < give_up:
        assert batch(client, pictures(*[1] * 30)) == [1] * 30
    assert two[0].calls >= 10


def test_nobody_is_there(twin):
    client = twin([free_url(), free_url()], retries=2, timeout=20)
    assert not client.is_ready()
    with pytest.raises(ServerUnavailable) as raised:
        one(client, pictures(5)[0])
    assert not isinstance(raised.value, ServerOverloaded)


def test_ready_is_who_has_one_that_is(twin, two):
    assert twin([free_url(), two[0].url]).is_ready()


def test_a_task_that_is_cancelled_during_a_probe_is_no_failure_of_the_server(two):
    """Nothing was learned: the next request probes again."""

    async def run():
        async with AsyncFaceClient(urls(two)) as client:
            endpoints = client._transport._endpoints
            (server, state), *_ = endpoints._states.items()
            endpoints._failed(state)
            await asyncio.sleep(0.3)
            server_is_ready = client._transport._transports[server].is_ready
            asked = asyncio.Event()

            async def slow(model, timeout):
                asked.set()
                await asyncio.sleep(60)
                return await server_is_ready(model, timeout)

            client._transport._transports[server].is_ready = slow
            task = asyncio.ensure_future(client.detect(pictures(1)[0]))
            await asyncio.wait_for(asked.wait(), 20)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not state.probing
            assert state.failures == 1

    asyncio.run(run())


def test_closing_gives_up_what_is_open(two):
    for server in two:
        server.mode = "hang"
    client = FaceClient(urls(two), timeout=60)
    answers = client.detect_each(pictures(1, 1, 1, 1), in_flight=4)

    def close_when_asked():
        while sum(server.calls for server in two) < 4:
            time.sleep(0.01)
        client.close()

    closer = threading.Thread(target=close_when_asked)
    closer.start()
    assert isinstance(next(answers), Cancelled)
    closer.join()


@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_command_takes_several(by, two, tmp_path):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (20, 5)).save(photo)
    several = f"{free_url()},{two[0].url}"
    option, environment = ((), {URL_VARIABLE: several}) if by == "environment" else (("--url", several), {})
    done = subprocess.run([FACES, "detect", photo, *option], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert two[0].calls == 1
