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
    Faces,
    InvalidInput,
    ServerOverloaded,
    ServerUnavailable,
)
from face_client.options import URL_VARIABLE
from tests.client.small_server import SmallServer, free_url, server_process

FACES = Path(sys.executable).with_name("faces")


def pictures(*rows):
    return [np.zeros((count, 20, 3), np.uint8) for count in rows]


def counts(answers):
    """How many faces each answer has; errors by name."""
    return [len(answer) if isinstance(answer, Faces) else type(answer).__name__ for answer in answers]


class Waiting:
    """FaceClient, as far as these tests go."""

    def __init__(self, url, **options):
        self._client = FaceClient(url, **options)

    def batch(self, images, in_flight=8):
        return counts(self._client.detect_batch(images, in_flight=in_flight, on_error="return"))

    def one(self, image):
        return len(self._client.detect(image))

    def stream(self, images):
        return counts(self._client.stream(images))

    def is_ready(self):
        return self._client.is_ready()

    def close(self):
        self._client.close()


class Async(Waiting):
    """AsyncFaceClient, each call run to its end."""

    def __init__(self, url, **options):
        self._loop = asyncio.new_event_loop()
        self._client = AsyncFaceClient(url, **options)

    def batch(self, images, in_flight=8):
        return counts(self._collect(lambda: self._client.detect_batch(images, in_flight=in_flight, on_error="return")))

    def one(self, image):
        return len(self._loop.run_until_complete(self._client.detect(image)))

    def stream(self, images):
        return counts(self._collect(lambda: self._client.stream(images)))

    def is_ready(self):
        return self._loop.run_until_complete(self._client.is_ready())

    def close(self):
        self._loop.run_until_complete(self._client.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _collect(self, iterate):
        async def run():
            return [answer async for answer in iterate()]

        return self._loop.run_until_complete(run())


@pytest.fixture(params=[Waiting, Async], ids=["sync", "async"])
def client_of(request):
    """client_of(url, **options): closed at the end."""
    made = []

    def make(url, **options):
        made.append(request.param(url, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def two():
    servers = SmallServer(), SmallServer()
    yield servers
    for server in servers:
        server.stop()


def urls(servers):
    return [server.url for server in servers]


def test_requests_are_spread_and_answers_come_in_order(client_of, two):
    rows = np.random.RandomState(0).randint(1, 12, 60).tolist()
    assert client_of(", ".join(urls(two))).batch(pictures(*rows)) == rows
    assert sum(server.calls for server in two) == 60
    assert min(server.calls for server in two) >= 10
    assert not any(server.probes for server in two)


def test_the_one_with_less_to_do_is_asked(client_of, two):
    two[0].seconds = 0.1
    assert client_of(urls(two)).batch(pictures(*[2] * 40), in_flight=4) == [2] * 40
    assert two[0].calls < two[1].calls


def test_one_that_is_gone_from_the_start_costs_nobody_an_answer(client_of, two):
    """A single retry is enough: it goes to the other one."""
    client = client_of([free_url(), two[0].url], retries=1)
    assert client.batch(pictures(*[3] * 60), in_flight=16) == [3] * 60


def test_one_that_is_killed_under_load_costs_nobody_an_answer(client_of, two):
    with server_process() as (process, url):
        client = client_of([url, two[0].url], retries=1)

        def kill_on_the_way():
            for number in range(200):
                if number == 60:
                    process.kill()
                yield from pictures(1 + number % 12)

        assert client.batch(kill_on_the_way(), in_flight=16) == [1 + number % 12 for number in range(200)]
    assert 0 < two[0].calls < 200


def test_one_that_comes_back_is_asked_again(client_of, two):
    two[0].stop()
    client = client_of(urls(two), retries=1)
    assert client.batch(pictures(*[1] * 30)) == [1] * 30
    assert two[0].calls == 0
    two[0].start()
    give_up = time.monotonic() + 60
    while not two[0].calls and time.monotonic() < give_up:
        assert client.batch(pictures(*[1] * 30)) == [1] * 30
    assert two[0].calls
    assert two[0].probes, "it was asked first whether it is there"


def test_a_full_queue_sends_its_requests_elsewhere(client_of, two):
    two[0].mode = "refuse"
    assert client_of(urls(two)).batch(pictures(*[4] * 100)) == [4] * 100
    assert two[0].calls < 20


def test_an_overload_of_all_is_not_multiplied(client_of, two):
    for server in two:
        server.mode = "refuse"
    assert set(client_of(urls(two), retries=50).batch(pictures(*[4] * 100), in_flight=32)) == {"ServerOverloaded"}
    # The budget: ten retries, and one for every five requests.
    assert 100 < sum(server.calls for server in two) <= 100 + 10 + 20


def test_a_bad_request_is_asked_about_once_and_no_servers_fault(client_of, two):
    client = client_of(urls(two))
    for _ in range(20):
        with pytest.raises(InvalidInput, match="unlucky"):
            client.one(pictures(13)[0])
    assert sum(server.calls for server in two) == 20
    assert min(server.calls for server in two) > 0


def test_one_that_hangs_is_left_alone(client_of, two):
    two[0].mode = "hang"
    client = client_of(urls(two), timeout=1)
    errors = 0
    for _ in range(20):
        try:
            assert client.one(pictures(5)[0]) == 5
        except DeadlineExceeded:
            errors += 1
    # Who was sent there waited in vain. It says that it is there when it is probed, so now and then one more is.
    assert two[0].calls == errors <= 4
    assert two[1].calls >= 16


def test_nobody_is_there(client_of):
    client = client_of([free_url(), free_url()], retries=2, timeout=20)
    assert not client.is_ready()
    with pytest.raises(ServerUnavailable) as raised:
        client.one(pictures(5)[0])
    assert not isinstance(raised.value, ServerOverloaded)


def test_ready_is_who_has_one_that_is(client_of, two):
    assert client_of([free_url(), two[0].url]).is_ready()


def test_a_stream_goes_to_one_that_is_there(client_of, two):
    rows = list(range(1, 13))
    client = client_of([free_url(), two[0].url], retries=0)
    for _ in range(6):
        assert client.stream(pictures(*rows)) == rows
    assert (two[0].streams, two[0].calls) == (6, 0)


def test_a_stream_breaks_with_its_server_and_the_next_goes_elsewhere(client_of, two):
    with server_process() as (process, url):
        client = client_of([url, two[0].url], retries=0)
        two[0].stop()

        def kill_on_the_way():
            for number in range(100):
                if number == 40:
                    process.kill()
                yield from pictures(1 + number % 12)

        with pytest.raises(ServerUnavailable, match="stream to the server broke"):
            client.stream(kill_on_the_way())
    two[0].start()
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        # gRPC takes a moment until it looks again for one that was not there.
        try:
            assert client.stream(pictures(2, 3)) == [2, 3]
            break
        except ServerUnavailable:
            time.sleep(0.1)
    assert two[0].streams


def test_frames_that_are_on_their_way_count(two):
    """Requests outside of the stream go to the other server as long as the stream keeps the first one busy."""

    async def run():
        async with AsyncFaceClient(urls(two)) as client:
            for server in two:
                server.mode = "hang"
            frames = client.stream(pictures(1, 1, 1), in_flight=3)
            reader = asyncio.ensure_future(frames.__anext__())
            while not any(server.streams for server in two):
                await asyncio.sleep(0.01)
            busy, idle = two if two[0].streams else two[::-1]
            idle.mode = "answer"
            assert [len(await client.detect(pictures(2)[0])) for _ in range(20)] == [2] * 20
            assert (busy.calls, idle.calls) == (0, 20)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader

    asyncio.run(run())


def test_closing_gives_up_what_is_open(two):
    for server in two:
        server.mode = "hang"
    client = FaceClient(urls(two), timeout=60)
    answers = client.detect_batch(pictures(1, 1, 1, 1), in_flight=4, on_error="return")

    def close_when_asked():
        while sum(server.calls for server in two) < 4:
            time.sleep(0.01)
        client.close()

    closer = threading.Thread(target=close_when_asked)
    closer.start()
    assert isinstance(next(answers), Cancelled | ServerUnavailable)
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
