"""The examples in other languages find the faces that the Python client finds, and keep their promises."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import chain
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from face_client import Landmarks
from face_tools.protos import write_protos
from tests.e2e.examples import BUILDERS, EXAMPLES
from tests.e2e.refusing import refusing_server
from tests.pictures import wall

OVER_GRPC = [language for language in BUILDERS if language != "http"]


class Example:
    def __init__(self, language, command):
        self.language = language
        self.command = command

    def __call__(self, url, picture, *options):
        # Go's gRPC before 1.40 tries again only where this is set.
        environment = {**os.environ, "GRPC_GO_RETRY": "on", "no_proxy": "127.0.0.1"}
        return subprocess.run(
            [*self.command, "--url", url, *options, picture],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture(scope="session")
def protos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protos")
    write_protos(folder)
    return folder


@pytest.fixture(scope="session", params=list(BUILDERS))
def example(request, tmp_path_factory, protos):
    folder = tmp_path_factory.mktemp(request.param)
    return Example(request.param, BUILDERS[request.param](folder, protos))


@pytest.fixture
def url(example, triton):
    return triton.http_url if example.language == "http" else triton.grpc_url


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    paths = {
        "twelve": folder / "twelve.png",
        # A shell, a format string and JSON would each like to read this in their own way.
        "one": folder / 'one "$x" %s \\n.jpg',
        "none": folder / "none.png",
    }
    Image.fromarray(wall()).save(paths["twelve"])
    Image.fromarray(wall()[:520, :540]).save(paths["one"], "JPEG")
    Image.fromarray(np.full((200, 300, 3), 127, np.uint8)).save(paths["none"])
    return paths


def numbers(faces):
    """float32 [N, 15]: box, probability, landmarks."""
    rows = [[*face["box"], face["probability"], *chain.from_iterable(face["landmarks"].values())] for face in faces]
    return np.array(rows, np.float32).reshape(-1, 15)


@pytest.mark.parametrize(
    ("picture", "options", "count"),
    [("twelve", {}, 12), ("twelve", {"min_face_size": 100.5}, None), ("one", {}, 1), ("none", {}, 0)],
)
def test_the_faces_are_the_python_clients(example, url, client, pictures, picture, options, count):
    path = str(pictures[picture])
    expected = client.detect(path, **options).to_dict()["faces"]
    assert len(expected) == count or 0 < len(expected) < 12
    flags = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    done = example(url, path, *flags)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    answer = json.loads(line)
    assert answer["image"] == path
    np.testing.assert_array_equal(numbers(answer["faces"]), numbers(expected))
    for face in answer["faces"]:
        assert list(face) == ["box", "probability", "landmarks"]
        assert list(face["landmarks"]) == list(Landmarks._fields)


@pytest.mark.parametrize("example", [language for language in BUILDERS if language != "python"], indirect=True)
def test_face_recognition_adds_embeddings(example, url, client, pictures):
    (expected,) = client.recognize(pictures["one"])
    done = example(url, pictures["one"], "--model", "face_recognition")
    assert done.returncode == 0, done.stderr
    (face,) = json.loads(done.stdout)["faces"]
    assert list(face) == ["box", "probability", "landmarks", "embedding"]
    np.testing.assert_array_equal(np.array(face["embedding"], np.float32), expected.embedding)
    np.testing.assert_array_equal(numbers([face]), numbers([expected.to_dict()]))


def test_recognition_in_python(triton, client, pictures):
    paths = [str(pictures["one"]), str(pictures["twelve"])]
    command = [sys.executable, EXAMPLES / "python" / "recognize.py", "--url", triton.grpc_url, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answers = list(map(json.loads, done.stdout.splitlines()))
    assert [answer["image"] for answer in answers] == paths
    assert [len(answer["faces"]) for answer in answers] == [1, 12]
    assert all(len(face["embedding"]) == 512 for answer in answers for face in answer["faces"])
    # The server's weights are random, which it says, and which is no ground for a verdict.
    assert all(answer["weights"] == client.weights().to_dict() for answer in answers)
    assert done.returncode == 1
    assert done.stderr.startswith("recognize: the server's FaceNet has random weights")


def test_a_bad_picture_gives_the_servers_sentence(example, url, tmp_path):
    (tmp_path / "junk.jpg").write_bytes(b"junk")
    done = example(url, tmp_path / "junk.jpg")
    assert (done.returncode, done.stdout) == (1, "")
    assert "encoded_image is not a picture in a known format (4 bytes)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("example", OVER_GRPC, indirect=True)
def test_a_refused_picture_is_sent_again(example, triton, client, pictures):
    """More than a megabyte: gRPC's own retries leave large requests out unless they are told not to."""
    path = pictures["twelve"]
    assert path.stat().st_size > 2**20
    with refusing_server(triton.grpc_url, refusals=2) as (handler, address):
        done = example(address, path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["faces"]) == len(client.detect(path))
    assert len(handler.deadlines) == 3
    assert all(20 < deadline <= 30 for deadline in handler.deadlines)


@pytest.mark.parametrize("example", ["http"], indirect=True)
def test_over_http_a_refused_picture_is_sent_twice_again(example, pictures):
    calls = []

    class Full(BaseHTTPRequestHandler):
        def do_POST(self):
            calls.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(503)
            self.end_headers()
            self.wfile.write(b'{"error":"the queue is full"}')

        def log_message(self, *_arguments):
            """No word on stderr."""

    with HTTPServer(("127.0.0.1", 0), Full) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        done = example(f"http://127.0.0.1:{server.server_port}", pictures["none"])
        server.shutdown()
        thread.join()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith('detect: {"error":"the queue is full"}\n')
    assert len(calls) == 3
    assert len(set(calls)) == 1
