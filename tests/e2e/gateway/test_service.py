"""A gateway as those who run it see it: ids and traces, keys, other sites, TLS, its end, its log and its disk."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from face_gateway.keys import add_key, hash_of
from tests.e2e.certificates import Authority
from tests.e2e.gateway.asking import IMAGE, NO_PICTURE, PORTRAIT, PROBLEM, as_json, encoded, form
from tests.e2e.gateway.paged import Paged
from tests.pictures import wall


def detect(paged, headers=None, **options):
    return paged.post("/v1/detect", data=PORTRAIT, headers={**IMAGE, **(headers or {})}, **options)


def test_an_id_goes_through_to_the_servers_log_and_back(paged, logged):
    told = detect(paged, {"X-Request-ID": "shop-17"})
    assert (told.status_code, told.headers["X-Request-ID"]) == (200, "shop-17")
    (executed,) = logged("shop-17-")
    refused = paged.post("/v1/detect", data=PORTRAIT[:5000], headers={**IMAGE, "X-Request-ID": "shop-18"})
    assert refused.headers["X-Request-ID"] == "shop-18"
    (id_there,) = set(logged("shop-18-"))
    assert refused.json()["request_id"] == id_there != executed
    made = detect(paged).headers["X-Request-ID"]
    assert logged(f"{made}-")


def test_two_pictures_have_ids_of_their_own(paged, logged):
    paged.post("/v1/detect", files=form(PORTRAIT, PORTRAIT), headers={"X-Request-ID": "pair"})
    time.sleep(1)
    assert len(set(logged("pair-"))) == 2


def test_a_callers_trace_goes_on_in_the_server(paged, collector):
    """Triton 2.51 overlooks the header of some gRPC requests: many are sent."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    for _ in range(20):
        detect(paged, {"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    collector.wait_for(lambda spans: any(s.trace == trace and s.name == "mtcnn" for s in spans))


def test_spans_of_its_own(traced, collector):
    trace = "1af7651916cd43dd8448eb211c80319c"
    with Paged(traced.grpc_url, "--trace", collector.url) as paged:
        for number in range(20):
            headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "X-Request-ID": f"span-{number}"}
            detect(paged, headers)
    spans = collector.wait_for(lambda spans: sum(s.trace == trace and s.name == "POST /v1/detect" for s in spans) == 20)
    own = [span for span in spans if span.trace == trace and span.service == "face_gateway"]
    doors = {span.id for span in own if span.name == "POST /v1/detect"}
    assert {span.parent for span in own if span.id in doors} == {"b7ad6b7169203331"}
    assert {span.parent for span in own if span.name == "infer mtcnn"} == doors


@pytest.fixture(scope="module")
def keyed(traced, tmp_path_factory):
    """A gateway that asks for keys, and the keys by their names."""
    folder = tmp_path_factory.mktemp("keyed")
    file = folder / "keys"
    keys = {name: add_key(file, name) for name in ("any", "looker", "slow")}
    text = file.read_text().replace(hash_of(keys["looker"]), f"{hash_of(keys['looker'])} may=faces")
    file.write_text(text.replace(hash_of(keys["slow"]), f"{hash_of(keys['slow'])} rate=0.5 burst=3"))
    where = folder / "people.gallery"
    options = ("--keys", file, "--gallery", where, "--random-weights", "--max-in-flight", "2", "--log-format", "json")
    with Paged(traced.grpc_url, *options, "--allow-origin", "https://shop.example") as paged:
        yield paged, keys


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def test_keys_say_who_may_what(keyed):
    paged, keys = keyed
    for headers in ({}, bearer("guess"), {"X-API-Key": "guess"}, {"Authorization": f"Basic {keys['any']}"}):
        told = detect(paged, headers)
        assert (told.status_code, told.headers["Content-Type"]) == (401, PROBLEM)
        assert told.headers["WWW-Authenticate"].startswith("Bearer")
    assert paged.get("/v1/service").json()["keys"] is True
    assert detect(paged, {"X-API-Key": keys["looker"]}).status_code == 200
    for method, path in (("POST", "/v1/identify"), ("POST", "/v1/gallery/people"), ("DELETE", "/v1/gallery/people/A")):
        told = paged.ask(method, path, data=PORTRAIT, headers={**IMAGE, **bearer(keys["looker"])})
        assert (told.status_code, told.json()["type"]) == (403, "/problems#NotAllowed")
    assert paged.get("/v1/gallery/people", headers=bearer(keys["looker"])).status_code == 403
    assert paged.get("/v1/gallery/people", headers=bearer(keys["any"])).json()["people"] == []


def test_a_key_asks_as_often_as_it_may(keyed):
    paged, keys = keyed
    told = [detect(paged, bearer(keys["slow"])) for _ in range(4)]
    assert [each.status_code for each in told] == [200, 200, 200, 429]
    assert told[-1].json()["type"] == "/problems#TooManyRequests"
    time.sleep(int(told[-1].headers["Retry-After"]))
    assert detect(paged, bearer(keys["slow"])).status_code == 200
    assert detect(paged, bearer(keys["any"])).status_code == 200


def test_no_more_at_a_time_than_may_be(keyed):
    paged, keys = keyed
    large = encoded(wall(), "JPEG")

    def ask(_):
        return paged.post("/v1/detect", data=large, headers={**IMAGE, **bearer(keys["any"])}, params={"rotations": 1})

    with ThreadPoolExecutor(12) as pool:
        told = list(pool.map(ask, range(24)))
    refused = [each for each in told if each.status_code != 200]
    assert len(refused) < len(told)
    assert refused
    assert {(each.status_code, each.headers["Retry-After"]) for each in refused} == {(429, "1")}
    assert paged.metric("face_gateway_requests_in_flight") == 0


def test_other_sites_may_ask_where_they_are_listed(keyed, paged):
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    allowed, keys = keyed
    preflight = allowed.ask("OPTIONS", "/v1/detect", headers={**asked, "Access-Control-Request-Headers": "x-api-key"})
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    told = detect(allowed, {"Origin": "https://shop.example", **bearer(keys["any"])})
    assert told.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    refused = detect(allowed, {"Origin": "https://evil.example", **bearer(keys["any"])})
    assert (refused.status_code, refused.headers.get("Access-Control-Allow-Origin")) == (403, None)
    for headers in ({"Origin": "https://shop.example"}, {"Origin": "null"}, {"Host": f"evil.example:{paged.port}"}):
        told = detect(paged, headers)
        assert (told.status_code, told.json()["type"]) == (403, "/problems#NotAllowed")
        assert "Access-Control-Allow-Origin" not in told.headers
    assert detect(paged, {"Origin": paged.url}).status_code == 200
    assert paged.get("/health/live", headers={"Host": "10.0.0.7"}).status_code == 200


def test_who_is_waited_for_is_answered_when_it_ends(traced):
    """As a process manager ends it, in the middle of requests."""
    turned = {"rotations": True}
    large = encoded(wall(), "PNG")
    with Paged(traced.grpc_url) as paged, ThreadPoolExecutor(4) as pool:
        told = [pool.submit(paged.post, "/v1/detect", data=large, headers=IMAGE, params=turned) for _ in range(4)]
        paged.wait_for_metric("face_gateway_requests_in_flight", 4)
        paged.terminate()
        assert [len(each.result().json()["images"][0]["faces"]) > 3 for each in told] == [True] * 4
        assert paged.wait() == 0
    with pytest.raises(requests.ConnectionError):
        paged.get("/health/live")


def test_https(traced, tmp_path):
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.vouch("page", "127.0.0.1")
    with Paged(traced.grpc_url, "--https-cert", certificate, "--https-key", key) as paged:
        assert paged.url.startswith("https://127.0.0.1:")
        assert detect(paged, verify=authority.file).status_code == 200
        assert detect(paged, {"Origin": paged.url}, verify=authority.file).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            detect(paged)


def test_no_upload_is_on_disk_and_no_line_says_too_much(traced, tmp_path):
    """Looked at all the while that large uploads of every kind come."""
    folder, where = tmp_path / "temporary", tmp_path / "people.gallery"
    folder.mkdir()
    environment = {"TMPDIR": str(folder)}
    seen, is_over = set(), threading.Event()
    with Paged(traced.grpc_url, "--gallery", where, "--random-weights", environment=environment) as paged:

        def look():
            while not is_over.is_set():
                seen.update(map(str, folder.iterdir()))
                for descriptor in Path(f"/proc/{paged.process.pid}/fd").iterdir():
                    with suppress(FileNotFoundError):
                        seen.add(str(descriptor.readlink()))

        looking = threading.Thread(target=look)
        looking.start()
        large = encoded(wall(), "PNG")
        assert len(large) > 2**20
        fields = {"person": "Nobody Knows", "force": "true", "metadata": '{"secret": "xyzzy"}'}
        for told in (
            paged.post("/v1/detect", files=form(large, large), params={"min_face_size": "47.125"}),
            paged.post("/v1/detect", data=large, headers=IMAGE),
            paged.post("/v1/detect", **as_json(large)),
            paged.post("/v1/gallery/people", files=form(PORTRAIT), data=fields),
            paged.get("/v1/gallery/people?collection=hidden"),
            paged.ask("DELETE", "/v1/gallery/people/Nobody%20Knows?collection=default"),
        ):
            assert told.status_code == 200, told.text
        paged.ask("DELETE", "/v1/gallery/people/Nobody%20Else")
        paged.post("/v1/detect", files=[("image", ("private name.png", NO_PICTURE))])
        is_over.set()
        looking.join()
    assert not list(folder.iterdir())
    assert not [path for path in seen if path.startswith(str(folder)) or "deleted" in path]
    text = "\n".join(paged.lines)
    assert "DELETE /v1/gallery/people/{person:path} 200" in text
    for secret in ("Nobody", "hidden", "xyzzy", "47.125", "private", "?"):
        assert secret not in text


def test_lines_for_machines(keyed):
    paged, keys = keyed
    detect(paged, {"X-Request-ID": "line-1", **bearer(keys["any"])}, params={"min_face_size": 50})
    line = json.loads(paged.wait_for("^(.*line-1.*)$"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert line.pop("seconds") > 0
    assert line == {
        "level": "info",
        "message": "answered",
        "method": "POST",
        "route": "/v1/detect",
        "status": 200,
        "pictures": 1,
        "bytes": len(PORTRAIT),
        "request_id": "line-1",
        "key": "any",
    }
