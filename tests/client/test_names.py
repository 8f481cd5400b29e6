"""Servers behind a name: what a lookup says, when there is one, and clients whose servers come and go."""

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

from face_client import Cancelled, FaceClient, ServerUnavailable, Tls, names
from face_client.endpoints import Server
from face_client.names import Names, lookup
from tests.client.small_server import SmallServer
from tests.client.test_balanced import batch, counts, one, pictures
from tests.e2e.certificates import Authority
from tests.name_server import asking_it, can_be_asked, name_server

NAME = "faces.example:8001"
URL = f"dns:///{NAME}"


def found(*addresses):
    """What getaddrinfo says."""
    return [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, 8001, 0, 0))
        if ":" in address
        else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 8001))
        for address in addresses
    ]


@pytest.mark.parametrize(
    ("addresses", "unreachable", "expected"),
    [
        (["10.0.0.2", "10.0.0.1"], "", ["10.0.0.2:8001", "10.0.0.1:8001"]),
        (["fd00::1", "10.0.0.1"], "", ["[fd00::1]:8001", "10.0.0.1:8001"]),
        (["fd00::1", "10.0.0.1", "10.0.0.1"], "fd00::1", ["10.0.0.1:8001"]),
        (["fd00::1"], "fd00::1", ["[fd00::1]:8001"]),
        ([], "", []),
    ],
)
def test_all_addresses_that_can_be_reached(addresses, unreachable, expected, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found(*addresses))
    monkeypatch.setattr(names, "_leads_there", lambda _, address: address[0] not in unreachable)
    assert lookup(NAME) == [Server(url, NAME) for url in expected]


def test_a_lookup_of_this_machine():
    assert Server("127.0.0.1:8001", "localhost:8001") in lookup("localhost:8001")
    with pytest.raises(OSError, match=r"."):
        lookup("no-such-name.invalid:8001")


@pytest.mark.skipif(not can_be_asked(), reason="needs root, for port 53 and a namespace")
def test_a_lookup_at_a_real_name_server(tmp_path):
    code = "import sys; from face_client.names import find; print(*(server.url for server in find(sys.argv[1:])))"

    def said(*urls):
        command = asking_it(tmp_path, sys.executable, "-c", code, *urls)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with name_server({"a.example": ["127.0.0.2", "127.0.0.3", "::1"], "b.example": ["127.0.0.4"]}) as server:
        both = said("dns:///a.example:8001", "dns:///b.example:8001", "127.0.0.2:8001")
        assert sorted(both.stdout.split()) == ["127.0.0.2:8001", "127.0.0.3:8001", "127.0.0.4:8001", "[::1]:8001"]
        assert "no address of dns:///c.example:8001 is known: " in said("dns:///c.example:8001").stderr
        server.fails = True
        assert "no address of dns:///a.example:8001 is known: " in said("dns:///a.example:8001").stderr


class Lookups:
    """Stands for the name servers. answers: the servers of each name, or an error; asked: of which names."""

    def __init__(self):
        self.answers, self.asked = {}, []
        self.let_go = threading.Event()
        self.let_go.set()

    def __call__(self, name):
        self.asked.append(name)
        self.let_go.wait(60)
        answer = self.answers.get(name, OSError(-2, "Name or service not known"))
        if isinstance(answer, Exception):
            raise answer
        return [Server(url, name) for url in answer]


@pytest.fixture
def lookups(monkeypatch):
    lookups = Lookups()
    monkeypatch.setattr(names, "lookup", lookups)
    yield lookups
    lookups.let_go.set()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def looked_up(names, soon=False):
    """Whether there was a lookup; it has ended."""
    names.refresh(soon)
    running = names._running
    if running is not None:
        running.result(20)
    return running is not None


def urls(names):
    return [server.url for server in names.servers()]


def test_when_it_is_looked_up(lookups):
    clock = Clock()
    names = Names([URL], clock)
    lookups.answers[NAME] = ["a:1"]
    assert looked_up(names)
    assert not looked_up(names, soon=True)
    clock.now += 0.6
    assert not looked_up(names)
    assert looked_up(names, soon=True)
    clock.now += 4.9
    assert not looked_up(names)
    clock.now += 0.2
    assert looked_up(names)


def test_who_waits(lookups):
    """Who knows no address; after a silence a second at most, and else nobody."""
    clock = Clock()
    names = Names([URL], clock)
    lookups.answers[NAME] = ["a:1"]
    lookups.let_go.clear()
    (running, patience), (same, _) = names.refresh(), names.refresh()
    assert running is same
    assert patience == float("inf")
    lookups.let_go.set()
    running.result(20)
    clock.now += 6
    lookups.let_go.clear()
    assert names.refresh() is None
    assert names._running is not None
    running = names._running
    lookups.let_go.set()
    running.result(20)
    clock.now += 60
    lookups.let_go.clear()
    assert names.refresh()[1] == 1
    clock.now += 0.5
    assert names.refresh()[1] == 0.5
    clock.now += 60
    assert names.refresh() is None


def test_a_given_server_waits_for_no_name_server(lookups):
    clock = Clock()
    names = Names(["c:3", URL], clock)
    lookups.let_go.clear()
    assert names.refresh()[1] == 1
    clock.now += 1
    assert names.refresh() is None


def test_without_room_for_a_thread_the_next_request_looks_up(lookups, monkeypatch):
    def no_room(_thread):
        raise RuntimeError("can't start new thread")

    names = Names([URL], Clock())
    lookups.answers[NAME] = ["a:1"]
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", no_room)
        assert names.refresh() is None
    assert looked_up(names)
    assert urls(names) == ["a:1"]


def test_what_is_known_is_kept(lookups):
    clock = Clock()
    other = "others.example:8001"
    names = Names(["c:3", URL, f"dns:///{other}"], clock)
    assert urls(names) == ["c:3"]
    lookups.answers = {NAME: ["a:1", "b:2"], other: ["b:2"]}
    for answers, expected in (
        ({NAME: ["a:1"], other: ["d:4"]}, ["c:3", "a:1", "d:4"]),
        ({NAME: OSError("no")}, ["c:3", "a:1", "d:4"]),
        ({NAME: [], other: ["e:5"]}, ["c:3", "a:1", "e:5"]),
        ({NAME: ["b:2", "e:5", "c:3"]}, ["c:3", "b:2", "e:5"]),
    ):
        lookups.answers = answers
        clock.now += 6
        assert looked_up(names)
        assert urls(names) == expected


def test_names_that_have_nothing(lookups):
    names = Names([URL])
    assert "no name server has answered yet" in names.why_none()
    looked_up(names)
    assert f"no address of {URL} is known: Name or service not known; is it spelled right" in names.why_none()
    names = Names([URL])
    lookups.answers[NAME] = []
    looked_up(names)
    assert "it has none" in names.why_none()


@pytest.fixture
def three(lookups, monkeypatch):
    """Servers of which the name has the first two, and clients that look it up often."""
    monkeypatch.setattr(names, "PERIOD_S", 0.05)
    monkeypatch.setattr(names, "_SHORTEST_PERIOD_S", 0.02)
    servers = SmallServer(), SmallServer(), SmallServer()
    lookups.answers[NAME] = [server.url for server in servers[:2]]
    yield servers
    for server in servers:
        server.stop()


def ask_until(client, condition):
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        assert batch(client, pictures(*[3] * 20)) == [3] * 20


def test_servers_come_and_go(twin, three, lookups):
    client = twin(URL)
    assert batch(client, pictures(*[2] * 40)) == [2] * 40
    assert min(three[0].calls, three[1].calls) >= 10
    lookups.answers[NAME] = [three[0].url, three[2].url]
    ask_until(client, lambda: three[2].calls)
    calls = three[1].calls
    assert batch(client, pictures(*[2] * 40)) == [2] * 40
    assert three[1].calls == calls
    assert three[2].calls >= 10
    lookups.answers[NAME] = OSError("no name server")
    time.sleep(0.1)
    assert batch(client, pictures(*[2] * 40)) == [2] * 40


@pytest.mark.slow
def test_one_that_leaves_answers_what_it_was_asked_and_is_closed_then(three, lookups):
    three[0].seconds = 2
    lookups.answers[NAME] = [three[0].url]
    with FaceClient(URL, timeout=60) as client:
        answers = client.detect_each(pictures(4, 4), in_flight=2)
        asked = threading.Thread(target=lambda: answered.extend(counts(answers)))
        answered = []
        asked.start()
        while three[0].calls < 2:
            time.sleep(0.01)
        lookups.answers[NAME] = [three[1].url]
        while not looked_up(client._transport._names):
            time.sleep(0.01)
        assert batch(client, pictures(*[3] * 20)) == [3] * 20
        assert (three[0].calls, three[1].calls) == (2, 20)
        assert len(client._transport._transports) == 2
        assert not answered
        asked.join()
        assert answered == [4, 4]
        assert [server.url for server in client._transport._transports] == [three[1].url]


def test_one_that_breaks_has_the_name_looked_up_at_once(twin, three, lookups, monkeypatch):
    monkeypatch.setattr(names, "PERIOD_S", 3600)
    client = twin(URL)
    batch(client, pictures(2, 2))
    three[0].stop()
    three[1].stop()
    lookups.answers[NAME] = [three[2].url]
    assert batch(client, pictures(*[2] * 20)) == [2] * 20
    assert three[2].calls >= 20


def test_a_name_that_nobody_knows(twin, three, lookups):
    del lookups.answers[NAME]
    client = twin(URL, retries=1)
    with pytest.raises(ServerUnavailable, match=r"^no address of dns:///faces\.example:8001 is known: Name or service"):
        one(client, pictures(3)[0])
    assert not client.is_ready()
    lookups.answers[NAME] = [three[2].url]
    ask_until(client, lambda: three[2].calls)
    assert client.is_ready()


@pytest.mark.usefixtures("three")
def test_name_servers_that_do_not_answer(twin, lookups):
    lookups.let_go.clear()
    client = twin(URL, timeout=0.3)
    with pytest.raises(ServerUnavailable, match="no name server has answered yet"):
        one(client, pictures(3)[0])
    lookups.let_go.set()
    assert one(twin(URL), pictures(3)[0]) == 3


@pytest.mark.usefixtures("three")
def test_slow_name_servers_keep_nobody_who_knows_addresses(twin, lookups):
    client = twin(URL, timeout=20)
    assert one(client, pictures(3)[0]) == 3
    time.sleep(0.07)
    lookups.let_go.clear()
    assert batch(client, pictures(*[3] * 20)) == [3] * 20
    lookups.let_go.set()


def test_closing_gives_up_a_lookup(twin, lookups):
    lookups.let_go.clear()
    client = twin(URL, timeout=60)
    client.close_soon(0.2)
    with pytest.raises(Cancelled):
        one(client, pictures(3)[0])
    with pytest.raises(Cancelled):
        one(client, pictures(3)[0])


@contextmanager
def encrypted(authority, *hosts):
    """The url of a server that encrypts, with a certificate for these hosts."""
    server = grpc.server(ThreadPoolExecutor(2))
    servicer = SmallServer()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    certificate, key = authority.vouch("server", *hosts)
    port = server.add_secure_port(
        "127.0.0.1:0", grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    )
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()
    servicer.stop()


def test_a_certificate_is_for_the_name_and_not_for_the_address(twin, lookups, tmp_path):
    authority = Authority(tmp_path, "authority")
    tls = Tls(str(authority.file))
    with encrypted(authority, "faces.example") as right, encrypted(authority, "127.0.0.1") as wrong:
        lookups.answers[NAME] = [right]
        assert one(twin(URL, tls=tls), pictures(3)[0]) == 3
        lookups.answers[NAME] = [wrong]
        with pytest.raises(ServerUnavailable, match="for another host name"):
            one(twin(URL, tls=tls, retries=0), pictures(3)[0])
        with pytest.raises(ServerUnavailable, match="for another host name"):
            one(twin(right, tls=tls, retries=0), pictures(3)[0])
