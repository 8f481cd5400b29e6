"""Why no connection came about: gRPC's words, and what most likely stands behind them."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

from face_client import DeadlineExceeded, ModelNotLoaded, ServerUnavailable, Tls
from face_client.causes import likely_cause
from tests.client.small_server import SmallServer, free_url
from tests.e2e.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"), "stranger")


@pytest.fixture
def encrypted(authority):
    """encrypted(hosts…, asks=): the url of a server that encrypts, and may ask for a client's certificate."""
    servers = []

    def start(*hosts, asks=False):
        server = grpc.server(ThreadPoolExecutor(2))
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
            service_pb2_grpc.GRPCInferenceServiceServicer(), server
        )
        certificate, key = authority.vouch("server", *hosts)
        pair = key.read_bytes(), certificate.read_bytes()
        credentials = grpc.ssl_server_credentials([pair], authority.file.read_bytes() if asks else None, asks)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(0).wait()


@pytest.fixture
def http_url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def silent_url():
    """Takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def why(twin, url, tls=None):
    with pytest.raises((ServerUnavailable, DeadlineExceeded)) as raised:
        twin(url, tls=tls, retries=0).check_ready()
    return str(raised.value)


def test_nobody_listens(twin):
    assert "Connection refused; nothing listens there" in why(twin, free_url())


def test_an_http_port(twin, http_url):
    assert "not a gRPC port, perhaps the HTTP port" in why(twin, http_url)
    assert "does not encrypt on this port" in why(twin, http_url, Tls())


@pytest.mark.slow
def test_a_server_that_hangs(twin, silent_url):
    assert "something listens there and does not answer" in why(twin, silent_url)
    assert "something listens there and does not answer" in why(twin, silent_url, Tls())


def test_encryption_on_one_side_only(twin, encrypted):
    assert "it may take encrypted ones only" in why(twin, encrypted("127.0.0.1"))
    server = SmallServer()
    assert "does not encrypt on this port" in why(twin, server.url, Tls())
    server.stop()


def test_certificates(twin, encrypted, authority, stranger):
    url = encrypted("127.0.0.1")
    for tls in (Tls(), Tls(str(stranger.file))):
        assert "no authority that is trusted here vouches" in why(twin, url, tls)
    trusting = str(authority.file)
    assert "for another host name" in why(twin, encrypted("elsewhere.example"), Tls(trusting))
    asking = encrypted("127.0.0.1", asks=True)
    assert "it may want a certificate of the client too" in why(twin, asking, Tls(trusting))
    certificate, key = stranger.vouch("client")
    assert "may not trust the client's certificate" in why(twin, asking, Tls(trusting, str(key), str(certificate)))


def test_a_model_that_is_not_there(twin):
    server = SmallServer()
    client = twin(server.url)
    client.check_ready()
    with pytest.raises(ModelNotLoaded, match=r"answers, and its model 'facenet' is not ready"):
        client.check_ready("facenet")
    with pytest.raises(ServerUnavailable, match=r"was not ready within 0 s: the server at .* answers"):
        client.wait_ready(0, "facenet")
    server.stop()


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("errors resolving no.such.host:8001: [Domain name not found]", "the host name is not known"),
        ("failed to connect to all addresses; last error: No route to host", "does not lead there"),
        ("Received http2 header with status: 404", "a web server or a proxy"),
        ("failed to connect to all addresses; last error: something new", None),
        ("Socket closed", None),
        ("max_faces is -1, must be from 0 to 100000", None),
        ("Request for unknown model: 'x' has no available versions", None),
    ],
)
def test_words_that_are_not_of_a_connection_stay_as_they_are(message, cause):
    said = likely_cause(message, None)
    assert said.startswith(message)
    assert (said == message) if cause is None else (cause in said)
