"""Encrypted connections: who is let in, and which server is believed."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from face_client import AsyncFaceClient, FaceClient, ServerUnavailable, Tls
from face_server import EmbeddedTriton, Settings, SetupError
from face_server.settings import ServerTls
from tests.e2e.certificates import Authority
from tests.e2e.conftest import REPOSITORY
from tests.e2e.sockets import listening
from tests.pictures import DATA

FACES = Path(sys.executable).with_name("faces")
PHOTO = DATA / "astronaut.png"
MODELS = ("pnet", "rnet", "onet", "mtcnn")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Nobody trusts this one."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def own(authority):
    """Certificate and key of the server: of 127.0.0.1, and not of localhost."""
    return authority.vouch("server", "127.0.0.1")


@pytest.fixture(scope="module")
def encrypted(authority, own):
    """A server for clients with a certificate, on every interface: HTTP has to stay on this machine."""
    with EmbeddedTriton(REPOSITORY, Settings(models=MODELS, host="0.0.0.0", tls=ServerTls(*own, authority.file))) as it:
        yield it


def as_client(authority, trusted, name="client"):
    certificate, key = authority.vouch(name)
    return Tls(str(trusted.file), str(key), str(certificate))


def finds_a_face(url, tls):
    with FaceClient(url, tls=tls, retries=0, timeout=20) as client:
        return len(client.detect(PHOTO)) == 1


def test_with_a_certificate_on_both_sides(encrypted, authority):
    tls = as_client(authority, authority)
    assert finds_a_face(encrypted.grpc_url, tls)

    async def find():
        async with AsyncFaceClient(encrypted.grpc_url, tls=tls) as client:
            return await client.detect(PHOTO)

    assert len(asyncio.run(find())) == 1


@pytest.mark.parametrize(
    "way", ["plain text", "no certificate", "a stranger's", "a server of a stranger", "another name"]
)
def test_nobody_else_gets_in(way, encrypted, authority, stranger):
    port = encrypted.ports[1]
    url, tls = {
        "plain text": (encrypted.grpc_url, None),
        "no certificate": (encrypted.grpc_url, Tls(str(authority.file))),
        "a stranger's": (encrypted.grpc_url, as_client(stranger, authority)),
        "a server of a stranger": (encrypted.grpc_url, as_client(authority, stranger)),
        "another name": (f"localhost:{port}", as_client(authority, authority)),
    }[way]
    with pytest.raises(ServerUnavailable):
        finds_a_face(url, tls)


def test_http_stays_on_this_machine(encrypted):
    http, rpc, _ = encrypted.ports
    assert listening(encrypted)[http] == "127.0.0.1"
    assert listening(encrypted)[rpc] == "::"


def test_the_commands_with_encryption(authority, own):
    """`faces serve` without a client authority lets in whoever trusts it, and watches itself all the same."""
    command = [FACES, "serve", "--repository", REPOSITORY, "--any-ports", "--quiet", "--tls-cert", own[0], "--tls-key"]
    script = 'faces detect "$0" --json --tls-ca "$1" && TRITON_FACES_TLS_CA="$1" faces detect "$0" --json'
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRITON_FACES_TLS")}
    ran = subprocess.run(
        [*command, own[1], "--", "sh", "-c", f'{script} && ! faces detect "$0"', PHOTO, authority.file],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count('"left_eye"') == 2
    assert re.search(r"^gRPC +127\.0\.0\.1:\d+, encrypted$", ran.stderr, re.MULTILINE)
    assert "no server with model 'mtcnn' is ready" in ran.stderr


def test_a_key_without_a_certificate(own):
    ran = subprocess.run([FACES, "serve", "--tls-key", own[1]], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (2, "faces serve: --tls-key and --tls-ca need --tls-cert\n")


def test_files_that_do_not_fit_are_refused_before_the_start(authority, own, tmp_path):
    other = authority.vouch("other", "127.0.0.1")
    (tmp_path / "empty.pem").touch()
    for tls in (
        ServerTls(own[0], other[1]),
        ServerTls(tmp_path / "none.pem", own[1]),
        ServerTls(*own, tmp_path / "empty.pem"),
    ):
        with pytest.raises(SetupError, match=r"^tls: "):
            EmbeddedTriton(REPOSITORY, Settings(tls=tls)).start()
