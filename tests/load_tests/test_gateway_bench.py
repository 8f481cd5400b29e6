"""What the measurement of the gateway sends, and what its callers make of answers."""

import asyncio
import base64
import email
import json
import socket
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from face_bench import BenchError
from face_bench.gateway import BASE64, BODY, FORM, request_of
from face_bench.gateway_callers import Call, _asked
from face_bench.pictures import Picture

PICTURE = Picture(
    "two pixels", np.zeros((1, 2, 3), np.uint8), b"\xff\xd8\r\n--no boundary\xff", np.zeros((1, 2, 3), np.uint8)
)
ANSWER = json.dumps({"images": [{"faces": [{}, {}]}]}).encode()


def test_each_way_sends_the_same_file():
    assert request_of(BODY, PICTURE) == (PICTURE.jpeg, "image/jpeg")
    (image,) = json.loads(request_of(BASE64, PICTURE)[0])["images"]
    assert base64.b64decode(image) == PICTURE.jpeg
    body, kind = request_of(FORM, PICTURE)
    (part,) = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).get_payload()
    assert part.get_filename() == "wall.jpg"
    assert part.get_payload(decode=True) == PICTURE.jpeg


@contextmanager
def answering(answer, requests):
    """host:port of one who says the same to every request of 10 bytes, in two pieces; counts them in `requests`."""

    def talk(connection):
        with connection:
            while connection.recv(10, socket.MSG_WAITALL):
                requests.append(1)
                connection.sendall(answer[:25])
                connection.sendall(answer[25:])

    def accept():
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def asked(answer, callers=3, images=8):
    requests = []
    with answering(answer, requests) as url:
        turn = asyncio.run(_asked(Call(url, b"0123456789", False, faces=2), callers, images))
    assert len(requests) == len(turn.took) == images
    return turn


def test_callers_share_the_images():
    turn = asked(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))
    assert 0 < max(turn.took) <= turn.seconds


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\n\r\nno", "the gateway says .*429"),
        (
            b'HTTP/1.1 200 OK\r\ncontent-length: 27\r\n\r\n{"images": [{"faces": []}]}',
            "an answer has 0 faces, and should have 2",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0", "no Content-Length"),
    ],
)
def test_another_answer_is_an_error(answer, sentence):
    with pytest.raises(BenchError, match=sentence):
        asked(answer, callers=1)
