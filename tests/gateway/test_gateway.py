"""The application without a server: bodies of all kinds, the door, problems. The real ones: tests/e2e/gateway."""

import asyncio
import base64
import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request

from face_client.errors import InvalidImage, InvalidInput, ServerOverloaded
from face_gateway import Limits, Settings, answers, cutting, keys, parameters
from face_gateway import app as app_module
from face_gateway.keys import add_key, hash_of
from face_gateway.parameters import read_parameters
from tests.fakes import answer
from tests.gateway.asgi import AsyncFake, acall, app_of, call, form


def picture_file(width, height):
    file = io.BytesIO()
    Image.new("RGB", (width, height), "gray").save(file, "PNG")
    return file.getvalue()


PICTURE = picture_file(40, 30)
IMAGE = {"content-type": "image/png"}


def reply(_request):
    return answer(2)


@pytest.fixture
def app():
    return app_of(reply)


def as_json(pictures, **fields):
    text = json.dumps({"images": [base64.b64encode(picture).decode() for picture in pictures], **fields})
    return {"content-type": "application/json"}, text.encode()


def test_a_picture_comes_in_three_ways(app):
    headers, body = form([("a.png", PICTURE)], {"min_face_size": "30"})
    by_form = call(app, "POST", "/v1/detect", headers=headers, body=body)
    raw = call(app, "POST", "/v1/detect", query="min_face_size=30", headers=IMAGE, body=PICTURE)
    headers, body = as_json([PICTURE], min_face_size=30)
    by_json = call(app, "POST", "/v1/detect", headers=headers, body=body)
    assert [each.status for each in (by_form, raw, by_json)] == [200] * 3
    found = [each.json["images"][0] for each in (by_form, raw, by_json)]
    assert [each.pop("image") for each in found] == ["a.png", "image", "image_1"]
    assert found[0] == found[1] == found[2]
    assert (found[0]["width"], found[0]["height"], len(found[0]["faces"])) == (40, 30, 2)


def test_a_data_url_is_a_picture(app):
    text = json.dumps({"images": [f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"]})
    assert (
        call(app, "POST", "/v1/detect", headers={"content-type": "application/json"}, body=text.encode()).status == 200
    )


def test_of_several_pictures_the_bad_one_has_its_problem_in_its_place():
    def one_is_bad(request):
        if request.inputs["encoded_image"][0, 0] == b"no picture":
            raise InvalidImage("encoded_image is not a picture")
        return answer(1)

    app = app_of(one_is_bad)
    headers, body = form([("a.png", PICTURE), ("b.txt", b"no picture"), ("a.png", PICTURE)], {})
    several = call(app, "POST", "/v1/detect", headers=headers, body=body)
    assert several.status == 200
    good, bad, again = several.json["images"]
    assert good == again
    assert (bad["image"], bad["error"]["status"]) == ("b.txt", 422)
    headers, body = form([("b.txt", b"no picture")], {})
    alone = call(app, "POST", "/v1/detect", headers=headers, body=body)
    assert (alone.status, alone.headers["content-type"]) == (422, "application/problem+json")
    assert alone.json["detail"].startswith("the file is not a picture")


def test_the_stages_of_a_picture_alone_are_told(app):
    alone = call(app, "POST", "/v1/detect", headers=IMAGE, body=PICTURE)
    assert re.fullmatch(
        r'body;dur=[\d.]+, server;dur=[\d.]+, pnet;dur=2\.00, images;desc="1"', alone.headers["server-timing"]
    )
    headers, body = form([("a.png", PICTURE)] * 2, {})
    assert "pnet" not in call(app, "POST", "/v1/detect", headers=headers, body=body).headers["server-timing"]


def as_text(**fields):
    return json.dumps(fields).encode()


def no_end(boundary):
    return {
        "content-type": f"multipart/form-data; boundary={boundary}"
    }, b"--X\r\nContent-Disposition: form-data\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "body", "status", "sentence"),
    [
        (IMAGE, b"", 400, "there is no picture in the request"),
        ({"content-type": "text/plain"}, b"x", 415, "Content-Type is 'text/plain'"),
        ({"content-type": "application/json"}, b"{", 400, "the body is no JSON"),
        ({"content-type": "application/json"}, b"[]", 400, "the body must be a JSON object"),
        ({"content-type": "application/json"}, b'{"images": "x"}', 400, "images must be a list"),
        ({"content-type": "application/json"}, b'{"images": ["?"]}', 400, "picture 1 of images is no base64"),
        ({"content-type": "application/json"}, b'{"top": 1, "top": 1}', 400, "the field 'top' is there twice"),
        ({"content-type": "application/json"}, b'{"where": {"a": 1, "a": 2}}', 400, "the field 'a' is there twice"),
        ({"content-type": "application/json"}, b"[" * 100_000, 400, "the body is no JSON"),
        ({"content-type": "application/json"}, b"\xff\xfe", 400, "the body is no JSON"),
        ({"content-type": "multipart/form-data"}, b"x", 400, "the form cannot be read: Missing boundary"),
        (*no_end("X"), 400, 'the form cannot be read: The Content-Disposition header field "name"'),
        (*form([("a.png", PICTURE)], {}, end=b"--X\r\n"), 400, "the form cannot be read: it ends before its last"),
        (*no_end("X; charset=undefined"), 415, "the names in a form must be in UTF-8"),
        ({"content-type": "application/json"}, as_text(images=[""] * 10**6), 400, "the request has 1000000 pictures"),
        ({"content-type": "application/json"}, as_text(**dict.fromkeys(map(str, range(65)))), 400, "the body has 65 f"),
    ],
)
def test_a_body_that_cannot_be_read(app, headers, body, status, sentence):
    told = call(app, "POST", "/v1/detect", headers=headers, body=body)
    assert (told.status, told.json["status"]) == (status, status)
    assert told.json["detail"].startswith(sentence)
    assert told.json["request_id"] == told.headers["x-request-id"]


def test_fields_and_pictures_are_counted(app):
    headers, body = form([("a.png", PICTURE)] * 17, {})
    assert "Maximum number of files is 16" in call(app, "POST", "/v1/detect", headers=headers, body=body).json["detail"]
    headers, body = as_json([PICTURE] * 17)
    assert "17 pictures; at most 16" in call(app, "POST", "/v1/detect", headers=headers, body=body).json["detail"]
    headers, body = form([("a.png", PICTURE)] * 3, {})
    told = call(app, "POST", "/v1/compare", headers=headers, body=body)
    assert told.json["detail"] == "the request has 3 pictures; it must have 2"


def test_a_body_is_judged_by_its_announced_length_and_by_its_own():
    app = app_of(reply, Settings(limits=Limits(body_bytes=1000)))
    announced = call(app, "POST", "/v1/detect", headers={**IMAGE, "content-length": "1001"}, body=b"x" * 1001)
    unannounced = call(app, "POST", "/v1/detect", headers=IMAGE, body=[b"x" * 500] * 3)
    assert announced.status == unannounced.status == 413
    assert announced.json["detail"] == "the body has more than 1000 bytes"


def test_pixels_are_judged_by_the_headers_of_all_pictures():
    app = app_of(reply, Settings(limits=Limits(pixels=2 * 40 * 30)))
    headers, body = form([("a.png", PICTURE)] * 2, {})
    assert call(app, "POST", "/v1/detect", headers=headers, body=body).status == 200
    headers, body = form([("a.png", PICTURE)] * 3, {})
    told = call(app, "POST", "/v1/detect", headers=headers, body=body)
    assert (told.status, told.json["type"]) == (413, "/problems#TooManyPixels")


@pytest.mark.slow
def test_a_slow_body_is_given_up():
    app = app_of(reply, Settings(limits=Limits(body_seconds=0.05)))

    async def trickle():
        async def receive():
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": b"x", "more_body": True}

        sent = []

        async def send(message):
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"transfer-encoding", b"chunked"), (b"content-type", b"image/png")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/detect",
            "raw_path": b"/v1/detect",
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": headers,
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        async with asyncio.timeout(20):
            await app(scope, receive, send)
        return sent[0]

    # After that it is read on for five seconds, for its sender to hear it.
    assert asyncio.run(trickle())["status"] == 408


def test_no_more_at_a_time_than_allowed():
    app = app_of(reply, Settings(limits=Limits(in_flight=2)))

    async def three():
        return await asyncio.gather(*(acall(app, "POST", "/v1/detect", headers=IMAGE, body=PICTURE) for _ in range(3)))

    answers = asyncio.run(three())
    assert sorted(each.status for each in answers) == [200, 200, 429]
    refused = next(each for each in answers if each.status == 429)
    assert refused.headers["retry-after"] == "1"
    assert call(app, "POST", "/v1/detect", headers=IMAGE, body=PICTURE).status == 200


def test_whoever_has_an_answer_may_ask_again_at_once():
    """Else callers who are as many as may be in flight would now and then be refused."""
    app = app_of(reply, Settings(limits=Limits(in_flight=1)))

    async def two():
        second = asyncio.get_running_loop().create_future()

        def again():
            second.set_result(asyncio.ensure_future(acall(app, "POST", "/v1/detect", headers=IMAGE, body=PICTURE)))

        first = await acall(app, "POST", "/v1/detect", headers=IMAGE, body=PICTURE, answered=again)
        return first, await second.result()

    assert [each.status for each in asyncio.run(two())] == [200, 200]


def test_a_full_queue_of_the_server_is_too_many_requests_too():
    def full(_request):
        raise ServerOverloaded("Exceeds maximum queue size")

    told = call(app_of(full), "POST", "/v1/detect", headers=IMAGE, body=PICTURE)
    assert (told.status, told.headers["retry-after"]) == (429, "1")
    # The longer one of the two, which the server's log has.
    assert told.json["request_id"].startswith(f"{told.headers['x-request-id']}-")


def test_only_this_machines_names_and_its_own_page_may_call(app):
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"):
        assert call(app, "GET", "/v1/service", headers={"host": host}).status == 200
    for host in ("evil.example", "localhost.evil.example:8080", ""):
        assert call(app, "GET", "/v1/service", headers={"host": host}).status == 403
    # Probes and Prometheus go by addresses.
    for path in ("/health/live", "/metrics"):
        assert call(app, "GET", path, headers={"host": "10.0.0.7:8080"}).status == 200
    own = {**IMAGE, "host": "localhost:8080", "origin": "http://localhost:8080"}
    assert call(app, "POST", "/v1/detect", headers=own, body=PICTURE).status == 200
    for origin in ("http://evil.example", "null", "http://localhost:9999", "http://127.0.0.1:8080", "http://[::1"):
        told = call(app, "POST", "/v1/detect", headers={**own, "origin": origin}, body=PICTURE)
        assert (told.status, told.json["type"]) == (403, "/problems#NotAllowed")


def test_a_page_that_is_listed_may_ask():
    app = app_of(reply, Settings(allowed_origins=("https://shop.example",)))
    headers = {**IMAGE, "origin": "https://shop.example"}
    told = call(app, "POST", "/v1/detect", headers=headers, body=PICTURE)
    assert (told.status, told.headers["access-control-allow-origin"]) == (200, "https://shop.example")
    asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    assert call(app, "OPTIONS", "/v1/detect", headers=asked).status == 200


def test_a_page_that_is_listed_can_read_every_refusal(tmp_path):
    file = tmp_path / "keys"
    key, slow = add_key(file, "a"), add_key(file, "b")
    lines = file.read_text().replace(hash_of(key), f"{hash_of(key)} may=faces")
    file.write_text(lines.replace(hash_of(slow), f"{hash_of(slow)} rate=0.001"))

    def fault(_request):
        raise RuntimeError

    origin = {"origin": "https://shop.example"}
    app = app_of(fault, Settings(keys=file, allowed_origins=(origin["origin"],), limits=Limits(body_bytes=1000)))

    def ask(method, path, given, body=b"", **options):
        told = call(app, method, path, headers={**IMAGE, **origin, **given}, body=body, **options)
        assert told.headers["access-control-allow-origin"] == origin["origin"]
        assert "Retry-After" in told.headers["access-control-expose-headers"]
        assert (told.headers["vary"], told.headers["x-content-type-options"]) == ("Origin", "nosniff")
        assert told.json["request_id"] == told.headers["x-request-id"]
        return told.status

    mine = {"x-api-key": key}
    assert ask("POST", "/v1/detect", {}, PICTURE) == 401
    assert ask("POST", "/v1/gallery/people", mine, PICTURE) == 403
    assert ask("POST", "/v1/detect", {**mine, "host": "evil.example"}, PICTURE) == 403
    assert ask("GET", "/v1/nothing", mine) == 404
    assert ask("GET", "/v1/detect", mine) == 405
    assert ask("POST", "/v1/detect", mine, bytes(1001)) == 413
    assert ask("POST", "/v1/detect", {**mine, "content-type": "text/plain"}, b"a") == 415
    assert [ask("GET", "/v1/nothing", {"x-api-key": slow}) for _ in range(2)] == [404, 429]
    assert ask("POST", "/v1/detect", mine, PICTURE, fault=RuntimeError) == 500
    others = call(app, "POST", "/v1/detect", headers={**IMAGE, "origin": "https://evil.example"}, body=PICTURE)
    assert others.status == 403
    assert "access-control-allow-origin" not in others.headers


@pytest.mark.parametrize("host", ["127.0.0.2", "127.0.0.2:8080"])
def test_at_another_address_of_loopback_it_has_that_for_a_name(host):
    app = app_of(reply, Settings(host="127.0.0.2"))
    assert call(app, "GET", "/v1/service", headers={"host": host}).status == 200
    assert call(app, "GET", "/v1/service", headers={"host": "127.0.0.3"}).status == 403


@pytest.mark.parametrize(
    ("length", "status"), [("9" * 5000, 413), ("0" * 5000 + "1", 422), ("-1", 400), ("1_0", 400), ("\xb2", 400)]
)
def test_an_announced_length_is_a_number_however_long(length, status):
    def unread(_request):
        raise InvalidImage("no picture")

    told = call(app_of(unread), "POST", "/v1/detect", headers={**IMAGE, "content-length": length}, body=b"x")
    assert told.status == status


def test_elsewhere_it_has_any_name_unless_some_are_given():
    host = {"host": "faces.example"}
    assert call(app_of(reply, Settings(host="0.0.0.0")), "GET", "/v1/service", headers=host).status == 200
    named = Settings(host="0.0.0.0", allowed_hosts=("faces.example",))
    assert call(app_of(reply, named), "GET", "/v1/service", headers=host).status == 200
    assert call(app_of(reply, named), "GET", "/v1/service", headers={"host": "other.example"}).status == 403


def test_keys_open_what_they_may(tmp_path):
    file = tmp_path / "keys"
    key = add_key(file, "a")
    file.write_text(file.read_text().replace(hash_of(key), f"{hash_of(key)} rate=0.001 burst=2"))
    app = app_of(reply, Settings(keys=file))
    told = call(app, "POST", "/v1/detect", headers=IMAGE, body=PICTURE)
    assert (told.status, told.headers["www-authenticate"]) == (401, 'Bearer realm="faces"')
    assert call(app, "GET", "/v1/service").json["keys"] is True
    for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
        assert call(app, "POST", "/v1/detect", headers={**IMAGE, **headers}, body=PICTURE).status == 200
    told = call(app, "POST", "/v1/detect", headers={**IMAGE, "x-api-key": key}, body=PICTURE)
    assert told.status == 429
    assert int(told.headers["retry-after"]) > 900


@pytest.mark.parametrize("change", [lambda file: file.write_text("nonsense"), lambda file: file.unlink()])
def test_a_file_of_keys_that_goes_wrong_is_seen(tmp_path, capsys, monkeypatch, change):
    monkeypatch.setattr(keys, "_LOOK_AGAIN_S", 0.0)
    file = tmp_path / "keys"
    key = add_key(file, "a")
    app = app_of(reply, Settings(keys=file))
    assert "face_gateway_keys_unreadable 0.0" in call(app, "GET", "/metrics").body.decode()
    change(file)
    for _ in range(3):
        asked = call(app, "POST", "/v1/detect", headers={**IMAGE, "x-api-key": key}, body=PICTURE)
        assert asked.status == 200
    assert "face_gateway_keys_unreadable 1.0" in call(app, "GET", "/metrics").body.decode()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ")
    assert line.endswith("; the keys that were read before go on, revoked ones too")


@pytest.mark.parametrize(("given", "kept"), [("abc-1", True), ("a b", False), ("x" * 65, False), ("é", False)])
def test_a_requests_id_goes_through_where_it_can_be_written(app, given, kept):
    told = call(app, "GET", "/health/live", headers={"x-request-id": given})
    assert (told.headers["x-request-id"] == given) is kept


def test_paths_and_methods_that_are_not_there(app):
    told = call(app, "GET", "/v1/nothing")
    assert (told.status, told.json["type"]) == (404, "/problems#NoSuchPath")
    told = call(app, "PUT", "/v1/detect", headers=IMAGE, body=PICTURE)
    assert (told.status, told.headers["allow"]) == (405, "POST")
    for path in ("/v1/detect/", "/v1/service/", "/static"):
        told = call(app, "GET", path)
        assert (told.status, told.headers.get("location")) == (404, None)
    # Without a gallery there are no people.
    assert call(app, "POST", "/v1/identify", headers=IMAGE, body=PICTURE).status == 404


def test_every_answer_forbids_what_a_page_does_not_need(app):
    page = call(app, "GET", "/")
    assert page.status == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    docs = call(app, "GET", "/docs")
    assert "script-src 'self';" in docs.headers["content-security-policy"]
    for path in ("/docs/files/swagger-ui-bundle.js", "/static/docs.js", "/problems", "/openapi.json"):
        told = call(app, "GET", path)
        assert (told.status, told.headers["x-content-type-options"]) == (200, "nosniff")
        assert told.headers["cross-origin-resource-policy"] == "same-origin"
    assert call(app, "GET", "/static/../keys.py").status == 404


def test_a_fault_is_a_problem_too_and_tells_nothing():
    def fault(_request):
        raise RuntimeError("secret")

    app = app_of(fault)
    told = call(app, "POST", "/v1/detect", headers=IMAGE, body=PICTURE, fault=RuntimeError)
    assert (told.status, told.headers["content-type"]) == (500, "application/problem+json")
    assert b"secret" not in told.body


def test_the_server_is_asked_once_however_many_want_to_know(monkeypatch):
    """Also by those who come while a slow one is being waited for, and just after it."""
    asked, app, clock = [], app_of(reply), SimpleNamespace(now=1000.0)

    async def slow(_self, model, timeout):  # noqa: ARG001 the protocol's
        asked.append(model)
        await asyncio.sleep(0.01)
        # Longer than an answer is good for.
        clock.now += 5
        return False

    monkeypatch.setattr(AsyncFake, "is_ready", slow)
    monkeypatch.setattr(app_module, "time", SimpleNamespace(monotonic=lambda: clock.now))

    async def many():
        ready = await asyncio.gather(*(acall(app, "GET", "/health/ready") for _ in range(50)))
        return [each.status for each in (*ready, await acall(app, "GET", "/health/ready"))]

    assert asyncio.run(many()) == [503] * 51
    assert asked == ["mtcnn"]
    clock.now += 5
    assert call(app, "GET", "/health/ready").status == 503
    assert asked == ["mtcnn"] * 2


def test_metrics_count_what_was_answered(app):
    call(app, "POST", "/v1/detect", headers=IMAGE, body=PICTURE)
    call(app, "POST", "/v1/detect", headers=IMAGE, body=b"")
    text = call(app, "GET", "/metrics").body.decode()
    assert 'face_gateway_requests_total{method="POST",route="/v1/detect",status="200"} 1.0' in text
    assert 'face_gateway_requests_total{method="POST",route="/v1/detect",status="400"} 1.0' in text
    assert "face_gateway_pictures_total 1.0" in text
    assert "face_gateway_requests_in_flight 0.0" in text


def test_the_crops_of_a_request_are_bounded(monkeypatch):
    monkeypatch.setattr(cutting, "_MOST_BYTES", 3 * one_crop())
    app = app_of(lambda _: answer(2))
    headers, body = form([("a.png", PICTURE)], {})
    assert call(app, "POST", "/v1/crop", headers=headers, body=body).status == 200
    headers, body = form([("a.png", PICTURE), ("b.png", PICTURE)], {})
    told = call(app, "POST", "/v1/crop", headers=headers, body=body)
    assert (told.status, told.json["type"]) == (400, "/problems#InvalidInput")
    assert told.json["detail"].startswith(f"the answer's pictures have more than {3 * one_crop()} bytes")


def one_crop():
    return len(answers.encoded(np.zeros((160, 160, 3), np.uint8), "png"))


def test_the_crops_of_all_requests_have_the_memory_that_is_kept():
    headers, body = form([("a.png", PICTURE)], {})
    room = len(body) + 3 * 2 * one_crop()
    for held, status in ((room, 200), (room - 1, 429)):
        app = app_of(lambda _: answer(2), Settings(limits=Limits(held_bytes=held)))
        for _ in range(2):
            assert call(app, "POST", "/v1/crop", headers=headers, body=body).status == status
        assert app.places.held == app.places.taken == 0


def test_a_copy_has_the_format_that_is_asked_for(app):
    asked = {
        "image/png": "image/png",
        "image/*": "image/jpeg",
        "image/webp, image/png": "image/webp",
        "IMAGE/PNG": "image/png",
    }
    for accept, kind in asked.items():
        told = call(app, "POST", "/v1/blur", headers={**IMAGE, "accept": accept}, body=PICTURE)
        assert (told.status, told.headers["content-type"]) == (200, kind)
        assert Image.open(io.BytesIO(told.body)).get_format_mimetype() == kind
    told = call(app, "POST", "/v1/blur", query="format=webp", headers={**IMAGE, "accept": "image/png"}, body=PICTURE)
    assert told.headers["content-type"] == "image/webp"


@pytest.mark.parametrize(("suffix", "width"), [("jpg", 65_501), ("webp", 16_384)])
def test_a_copy_that_its_format_has_no_place_for_is_refused(app, suffix, width):
    told = call(app, "POST", "/v1/blur", query=f"format={suffix}", headers=IMAGE, body=picture_file(width, 2))
    assert (told.status, told.json["type"]) == (400, "/problems#InvalidInput")
    assert told.json["detail"].startswith(f"{suffix} has no place for {width}x2 pixels")
    assert call(app, "POST", "/v1/blur", query="format=png", headers=IMAGE, body=picture_file(width, 2)).status == 200


@pytest.mark.parametrize("name", ["where", "collections"])
def test_json_that_is_too_deep_is_no_json(name):
    with pytest.raises(InvalidInput, match=f"{name} is .*it must be JSON"):
        read_parameters(
            parameters.Identify, Request({"type": "http", "query_string": b"", "headers": []}), {name: "[" * 100_000}
        )
