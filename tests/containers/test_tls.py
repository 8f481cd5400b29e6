"""Certificates and keys in the containers: who is let in, and where the key's file can be read."""

import json
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from face_client import FaceClient, ServerUnavailable, Tls
from face_gateway.keys import add_key
from face_server.http_api import ADMIN_HEADER
from tests.containers.podman import STARTING, wait_until
from tests.e2e.certificates import Authority
from tests.pictures import DATA

PHOTO = DATA / "astronaut.png"
KEY = "known to few"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="module")
def tls(authority):
    certificate, key = authority.vouch("caller")
    return Tls(str(authority.file), str(key), str(certificate))


@pytest.fixture(scope="module")
def page_keys(tmp_path_factory):
    """A file of keys that the container's user can read, and the key in it."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    key = add_key(file, "camera")
    file.chmod(0o644)
    return file, key


@pytest.fixture(scope="module")
def compose(stack, authority, page_keys, podman):
    certificate, key = authority.vouch("server", "127.0.0.1", "triton")
    page_certificate, page_key = authority.vouch("page")
    files = {
        "TLS_CERTIFICATE": certificate,
        "TLS_KEY": key,
        "TLS_CLIENT_AUTHORITY": authority.file,
        "PAGE_TLS_AUTHORITY": authority.file,
        "PAGE_TLS_CERTIFICATE": page_certificate,
        "PAGE_TLS_KEY": page_key,
        "PAGE_KEYS": page_keys[0],
    }
    given = {f"TRITON_FACES_{name}": str(file) for name, file in files.items()}
    with stack("triton-cpu", "page", TRITON_FACES_ADMIN_KEY=KEY, **given) as it:
        wait_until(lambda: podman.healthy(it.container("triton-cpu")), STARTING, "a healthy server")
        yield it


@pytest.fixture
def url(compose):
    return f"127.0.0.1:{compose.environment['TRITON_FACES_GRPC_PORT']}"


def test_a_caller_with_a_certificate_is_answered(url, tls):
    with FaceClient(url, tls=tls) as client:
        assert len(client.detect(PHOTO)) == 1


@pytest.mark.parametrize("missing", ["certificate", "encryption"])
def test_others_are_not(url, authority, missing):
    tls = Tls(str(authority.file)) if missing == "certificate" else None
    with FaceClient(url, tls=tls, retries=0, timeout=5) as client, pytest.raises(ServerUnavailable):
        client.detect(PHOTO)


def test_the_page_has_a_certificate_and_asks_for_a_key(compose, page_keys, podman):
    wait_until(lambda: podman.healthy(compose.container("page")), 60, "a healthy page")
    url = f"http://127.0.0.1:{compose.environment['TRITON_FACES_PAGE_PORT']}/v1/detect"
    image = {"Content-Type": "image/png"}
    with pytest.raises(HTTPError, match="401"):
        urlopen(Request(url, PHOTO.read_bytes(), image), timeout=30)
    with urlopen(
        Request(url, PHOTO.read_bytes(), {**image, "Authorization": f"Bearer {page_keys[1]}"}), timeout=30
    ) as answer:
        assert len(json.load(answer)["images"][0]["faces"]) == 1


def test_http_stays_in_the_container(compose):
    with pytest.raises((ConnectionError, URLError, TimeoutError)):
        urlopen(f"http://127.0.0.1:{compose.environment['TRITON_FACES_HTTP_PORT']}/v2/health/live", timeout=5)


def test_the_key_is_a_file_for_reading_and_not_in_the_environment(compose, podman):
    container = compose.container("triton-cpu")
    assert "PRIVATE KEY" in podman("exec", container, "cat", "/run/secrets/tls_key")
    assert not podman.succeeds("exec", container, "sh", "-c", "echo >>/run/secrets/tls_key")
    assert not any("PRIVATE KEY" in line for line in podman.inspect(container)["Config"]["Env"])


def test_the_admin_key_opens_model_control(url, tls):
    files = (tls.root_certificates, tls.private_key, tls.certificate_chain)
    credentials = grpc.ssl_channel_credentials(*(Path(file).read_bytes() for file in files))
    with grpc.secure_channel(url, credentials) as channel:
        index = service_pb2_grpc.GRPCInferenceServiceStub(channel).RepositoryIndex
        asked = service_pb2.RepositoryIndexRequest()
        with pytest.raises(grpc.RpcError, match="restricted"):
            index(asked)
        known = index(asked, metadata=((f"triton-grpc-protocol-{ADMIN_HEADER}", KEY),))
        assert "mtcnn" in {model.name for model in known.models}
