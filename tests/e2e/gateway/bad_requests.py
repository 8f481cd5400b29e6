"""Requests that are wrong in every way somebody would try first: the status that each must get, and its bytes."""

import base64
import json
import random
import struct
import zlib

from tests.e2e.gateway.asking import PORTRAIT

_HOST = b"127.0.0.1"
_FILE = b'Content-Disposition: form-data; name="image"; filename="a.png"'
_SMALL_JSON = b'{"images": ["AAAA"]}'


def request(body=b"", method=b"POST", path=b"/v1/detect", version=b"HTTP/1.1", length=None, **headers):
    """A request; a header's name has _ for -. length: what Content-Length says; None: the truth."""
    lines = [b" ".join((method, path, version))]
    given = {b"Host": _HOST, **{name.replace("_", "-").encode(): value for name, value in headers.items()}}
    if b"Transfer-Encoding" not in given:
        given[b"Content-Length"] = str(len(body)).encode() if length is None else length
    lines += [name + b": " + value for name, value in given.items()]
    return b"\r\n".join((*lines, b"", body))


def _form(*parts, boundary=b"B", end=b"--B--\r\n", kind=b"multipart/form-data; boundary=B"):
    body = b"".join(b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + data + b"\r\n" for head, data in parts)
    return request(body + end, Content_Type=kind)


def _json(text, path=b"/v1/detect"):
    return request(text, path=path, Content_Type=b"application/json")


def _chunked(*chunks, end=b"0\r\n\r\n"):
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return request(body + end, Transfer_Encoding=b"chunked", Content_Type=b"image/png")


def bomb():
    """A PNG whose header says 49 million pixels, and that has none."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 7000, 7000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _of_bytes(count, seed):
    return random.Random(seed).randbytes(count)


BAD = {
    # What is no HTTP.
    "garbage": (400, _of_bytes(300, 1) + b"\r\n\r\n"),
    "every byte": (400, bytes(range(256))),
    "a handshake of TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300)),
    "HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "no such version": (400, request(version=b"HTTP/3.9")),
    "a null byte in a header": (400, request(X_Odd=b"a\0b")),
    "a line that is no header": (400, b"GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n"),
    "a path that is not ASCII": (400, request(path=b"/v1/\xff\xfe")),
    "CONNECT": (400, request(method=b"CONNECT", path=b"127.0.0.1:1")),
    "two lengths": (400, request(b"abcd", Content_length=b"5")),
    "a length and pieces": (
        400,
        b"POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
    ),
    "a negative length": (400, request(length=b"-1")),
    "a length beyond 64 bits": (400, request(length=b"9" * 30)),
    "a piece without a length": (400, request(b"zz\r\nabcd\r\n0\r\n\r\n", Transfer_Encoding=b"chunked")),
    "a flood of headers": (431, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 60_000),
    "an endless header": (431, b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 400_000),
    "a flood behind the pieces": (431, _chunked(b"abcd", end=b"0\r\n" + b"A: b\r\n" * 60_000)),
    # What is HTTP, and not for here.
    "HTTP/1.0 without a host": (403, b"GET /v1/service HTTP/1.0\r\n\r\n"),
    "another host": (403, request(method=b"GET", path=b"/v1/service", Host=b"evil.example")),
    "another site": (403, request(_SMALL_JSON, Origin=b"https://evil.example")),
    "a site that is none": (403, request(_SMALL_JSON, Origin=b"http://[::1")),
    "no such path": (404, request(method=b"GET", path=b"/v1/../../etc/passwd")),
    "a null byte in a path": (404, request(method=b"GET", path=b"/static/%00")),
    "a file elsewhere": (404, request(method=b"GET", path=b"/static/..%2f..%2fkeys.py")),
    "another method": (405, request(method=b"PUT")),
    "a long path": (404, request(method=b"GET", path=b"/" + b"a" * 30_000)),
    "an upgrade": (400, request(_SMALL_JSON, Connection=b"Upgrade", Upgrade=b"websocket")),
    "nobody": (400, request(method=b"DELETE", path=b"/v1/gallery/people/%ED%A0%80%00")),
    # Bodies.
    "nothing": (400, request()),
    "announced and huge": (413, request(length=b"1000000000000")),
    "announced, and waits": (413, request(length=b"1000000000000", Expect=b"100-continue")),
    "no known kind": (415, request(b"abcd", Content_Type=b"text/\xff")),
    "no picture": (422, request(b"\x89PNG\r\n\x1a\n" + _of_bytes(500, 2), Content_Type=b"image/png")),
    "half a picture": (422, request(PORTRAIT[:5000], Content_Type=b"image/png")),
    "in pieces": (422, _chunked(b"no", b"picture")),
    # Forms.
    "no boundary": (400, _form((_FILE, b"abcd"), kind=b"multipart/form-data")),
    "another boundary": (400, _form((_FILE, b"abcd"), boundary=b"C")),
    "a form cut short": (400, _form((_FILE, PORTRAIT[:9000]), end=b"")),
    "a charset that is none": (
        415,
        _form((_FILE, b"abcd"), kind=b"multipart/form-data; boundary=B; charset=undefined"),
    ),
    "a part without a name": (400, _form((b'Content-Disposition: form-data; filename="a"', b"abcd"))),
    "a part with nothing": (400, _form((b"", b"abcd"))),
    "many parts": (400, _form(*[(_FILE, b"abcd")] * 200)),
    "many fields": (
        400,
        _form(*[(b'Content-Disposition: form-data; name="a%d"' % number, b"1") for number in range(200)]),
    ),
    "a large field": (400, _form((b'Content-Disposition: form-data; name="top"', b"1" * 1_100_000))),
    "odd names": (400, _form((b'Content-Disposition: form-data; name="\xff\0\xfe"', b"\xff\xfe\0"))),
    "headers of a part": (400, _form((_FILE + b"\r\nA: b" * 5000, b"abcd"))),
    # JSON.
    "no JSON": (400, _json(b"{")),
    "deep JSON": (400, _json(b"[" * 100_000)),
    "deep objects": (400, _json(b'{"images":' * 20_000)),
    "not UTF-8": (400, _json(b'{"images": ["\xff"]}')),
    "half a surrogate pair": (422, _json(b'{"images": ["AAAA"], "where": {"a": "\\ud800"}}', b"/v1/identify")),
    "a name that is half a pair": (400, _json(b'{"images": ["AAAA"], "person": "\\ud800"}', b"/v1/gallery/people")),
    "a long number": (400, _json(b'{"images": ["AAAA"], "min_face_size": ' + b"9" * 5000 + b"}")),
    "no number": (400, _json(b'{"images": ["AAAA"], "min_face_size": NaN}')),
    "wrong kinds": (400, _json(b'{"images": {"a": [1, null]}, "min_face_size": {}}')),
    "a name twice": (400, _json(b'{"images": ["AAAA"], "top": 1, "top": 2}', b"/v1/identify")),
    "bad base64": (400, _json(b'{"images": ["=not base64="]}')),
    "many pictures": (400, _json(json.dumps({"images": [""] * 3000}).encode())),
    "many names": (400, _json(json.dumps({str(number): 1 for number in range(1000)}).encode())),
    "no picture in base64": (
        422,
        _json(json.dumps({"images": [base64.b64encode(_of_bytes(2000, 3)).decode()]}).encode()),
    ),
    # Queries.
    "an unknown parameter": (400, request(b"abcd", path=b"/v1/detect?%ff=%00&min_face_size=1")),
    "a deep parameter": (400, request(b"abcd", path=b"/v1/identify?where=" + b"[" * 3000)),
    "a parameter twice": (400, request(b"abcd", path=b"/v1/detect?top=1&top=1")),
    "many parameters": (
        400,
        request(b"abcd", path=b"/v1/detect?" + b"&".join(b"a%d=1" % each for each in range(5000))),
    ),
}

RARE = {
    "larger than may be": (413, request(bytes(33 * 2**20), Content_Type=b"image/png")),
    "larger, in pieces": (413, _chunked(*[bytes(2**20)] * 33)),
    "a bomb": (422, request(bomb(), Content_Type=b"image/png")),
}
"""What costs somebody many milliseconds."""

# One behind another on one connection: the first is answered, whatever the others are.
PIPELINED = request(b"abcd", Content_Type=b"image/png") * 50 + b"garbage\r\n\r\n"
