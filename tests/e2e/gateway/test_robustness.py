"""A gateway among bad callers, over real sockets: slow ones, those that hang up, ten thousand that are wrong."""

import asyncio
import json
import random
import time
from collections import defaultdict
from typing import NamedTuple

import pytest

from face_bench.metrics import scrape
from tests.e2e.gateway.asking import encoded
from tests.e2e.gateway.bad_requests import BAD, RARE, request
from tests.e2e.gateway.callers import Good, ask, begin, drip, hang_up
from tests.e2e.gateway.paged import Paged
from tests.pictures import astronaut, wall

HEADER_S, BODY_S = 10, 30
"""As settings.Limits has them. Slow callers wait longer than that, before they give up."""

ALL_BAD = {**BAD, **RARE}

GOOD = encoded(astronaut()[:300:2, 100:400:2], "JPEG")
GOOD_REQUEST = request(GOOD, Content_Type=b"image/jpeg")
LARGE = request(encoded(wall(), "JPEG"), Content_Type=b"image/jpeg", path=b"/v1/detect?rotations=true")


@pytest.fixture(scope="module")
def among(traced, tmp_path_factory):
    """A gateway with places for the slow ones too."""
    where = tmp_path_factory.mktemp("gallery") / "people.gallery"
    options = ("--gallery", where, "--random-weights", "--max-in-flight", "300", "--max-held", 2**34)
    with Paged(traced.grpc_url, *options) as paged:
        yield paged


def settled(paged):
    """Open files and memory of the process, once nothing is in flight."""
    paged.wait_for_metric("face_gateway_requests_in_flight", 0)
    assert paged.metric("face_gateway_held_bytes") == 0
    return paged.process.num_fds(), paged.process.memory_info().rss


class Wrong(NamedTuple):
    """Bad requests that were made. statuses: of the answers to each, by its name. unheard: those that had none."""

    asked: int
    statuses: dict[str, set[int]]
    unheard: set[str]
    memory: int


async def make_wrong(paged, count, seed, rare=0, callers=16):
    """So many bad requests, some at a time; rare: how often each of those that cost much."""
    shuffled = random.Random(seed)
    names = [*RARE] * rare + shuffled.choices(list(BAD), k=count - rare * len(RARE))
    shuffled.shuffle(names)
    waiting, statuses, unheard = iter(names), defaultdict(set), set()

    async def work():
        for name in waiting:
            answered = (await ask(paged, ALL_BAD[name][1])).statuses
            statuses[name].update(answered)
            if not answered:
                unheard.add(name)

    await asyncio.gather(*(work() for _ in range(callers)))
    return Wrong(len(names), statuses, unheard, paged.process.memory_info().rss)


async def slow_callers(paged):
    """(statuses of those whose header trickles, and of those whose body does; None: it was not ended)."""
    header = request()[:40]
    body = request(length=b"1000", Content_Type=b"image/png")
    return await asyncio.gather(
        asyncio.gather(*(drip(paged, header, HEADER_S + 15) for _ in range(20))),
        asyncio.gather(*(drip(paged, body, BODY_S + 20) for _ in range(20))),
    )


async def leave(paged, callers=200):
    """Callers who hang up, half of them before all is sent."""
    chosen = random.Random(3)
    cuts = [chosen.choice((len(LARGE), chosen.randrange(len(LARGE)))) for _ in range(callers)]
    await asyncio.gather(*(hang_up(paged, LARGE[:cut], 2 * chosen.random()) for cut in cuts))


async def storm(paged):
    """All of that at a time."""
    slow = asyncio.ensure_future(slow_callers(paged))
    async with Good(paged, GOOD_REQUEST) as good:
        uploads = await asyncio.gather(*(ask(paged, GOOD_REQUEST, pieces=9) for _ in range(64)))
        await leave(paged)
        # Bodies of many megabytes leave a heap with holes: memory is compared where there are no more of them.
        parts = [await make_wrong(paged, 2000, 1, rare=10), *[await make_wrong(paged, 4000, seed) for seed in (2, 3)]]
        return good, uploads, parts, await slow


def test_good_callers_are_answered_among_bad_ones(among, client):
    alone = json.loads(asyncio.run(ask(among, GOOD_REQUEST)).body)
    assert alone["images"][0]["faces"] == json.loads(json.dumps(client.detect(GOOD).to_dict()))["faces"]
    files, _ = settled(among)
    good, uploads, parts, (headers, bodies) = asyncio.run(storm(among))
    assert [json.loads(each.body) for each in uploads] == [alone] * 64
    assert len(good.answers) > 50
    assert all((each.statuses, json.loads(each.body)) == ([200], alone) for each in good.answers)
    assert headers == [[]] * 20
    assert bodies == [[408]] * 20
    assert sum(part.asked for part in parts) == 10_000
    for part in parts:
        assert {name: each for name, each in part.statuses.items() if each != {ALL_BAD[name][0]}} == {}
        assert part.unheard == set()
    files_after, memory = settled(among)
    # Of each bad request not even 4 KiB are kept.
    assert max(parts[2].memory, memory) - parts[1].memory < 4000 * 4096
    # Its connections to the server, and those of this test that are in TIME_WAIT no longer.
    assert abs(files_after - files) <= 2
    assert among.is_running


def test_who_hangs_up_frees_its_place_and_the_server(among, traced):
    """More of them than the server looks at in a batch: the others leave its queue."""
    # Its connections to the server are there from then on.
    asyncio.run(ask(among, GOOD_REQUEST))
    files, _ = settled(among)
    before = scrape(traced.metrics_url)

    def canceled():
        grown = scrape(traced.metrics_url).since(before)
        return grown.total("nv_inference_request_failure", model="mtcnn", reason="CANCELED")

    def wait_for_a_queue():
        give_up = time.monotonic() + 60
        # Two batches of sixteen may leave it before their callers do.
        while scrape(traced.metrics_url).total("nv_inference_pending_request_count", model="mtcnn") < 40:
            assert time.monotonic() < give_up
            time.sleep(0.02)

    async def many():
        connections = [await begin(among, LARGE) for _ in range(80)]
        await asyncio.to_thread(wait_for_a_queue)
        for _, writer in connections:
            writer.transport.abort()

    asyncio.run(many())
    files_after, _ = settled(among)
    assert abs(files_after - files) <= 2
    among.wait_for(r"^(POST /v1/detect 499 .*)$")
    # They are counted as the queue comes to them.
    give_up = time.monotonic() + 60
    while canceled() == 0:
        assert time.monotonic() < give_up
        time.sleep(0.2)


def test_requests_behind_one_another_are_answered_in_their_order(among):
    """On one connection, sent at once."""
    paths = [b"/v1/nothing", b"/health/live", b"/v1/gallery/people"] * 20
    together = b"".join(request(method=b"GET", path=path) for path in paths)
    assert asyncio.run(ask(among, together, answers=60)).statuses == [404, 200, 200] * 20
