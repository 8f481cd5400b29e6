"""Bad input in bulk against one server: answers or clear refusals, never a crash, a hang, growing memory or INTERNAL.

`make fuzz` sends ten thousand and more; here a share of them goes, the same each time.
"""

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from face_cascade import FACENET
from tests.e2e.fuzz.messages import Message, add_tensor
from tests.e2e.fuzz.pictures import damaged, sound_files
from tests.e2e.fuzz.processes import GROWTH, TAKES, Census, Take, pids
from tests.e2e.fuzz.run import Sender, chunks, loose_talk, outcomes, without_names
from tests.e2e.fuzz.special import CROWD, special_cases
from tests.e2e.fuzz.strategies import wraps_around

COUNT = 1500
SEED = 7


@pytest.fixture(scope="module")
def sender(triton, grpc_client):
    # Loaded when first asked, which takes its time.
    assert grpc_client.is_model_ready(FACENET.name)
    with Sender(triton.grpc_url) as sender:
        yield sender


@pytest.fixture(scope="module")
def census(triton):
    """The server's processes from the first special case on."""
    census = Census(triton.pid)
    census.take(0)
    return census


# All but the one that a test of its own looks at more closely.
SPECIAL = {name: case for name, case in special_cases().items() if name != CROWD}


@pytest.mark.parametrize(("status", "make"), SPECIAL.values(), ids=SPECIAL)
def test_special_cases(status, make, sender, census):
    before = census.takes[0].pids
    outcome = sender.one(make())
    assert (outcome.status, outcome.fault) == (status, ""), outcome.text
    assert before <= pids(census.server)


def test_a_crowd_loses_no_candidate(sender):
    answer = sender.one(special_cases()[CROWD][1]()).answer
    assert answer.as_numpy("num_faces")[0, 0] > 1000
    assert answer.as_numpy("candidates_dropped")[0, 0] == 0


def test_by_seed(sender, census):
    seen = 0
    for seen, outcome in enumerate(outcomes(sender, COUNT, SEED), 1):
        assert not outcome.fault, f"{outcome.fault}: {outcome.text}\n{str(outcome.request)[:2000]}"
        if seen % (COUNT // TAKES) == 0:
            census.take(seen)
    assert seen == COUNT
    assert not census.died()
    assert not census.grown(), [take.memory for take in census.takes]


def test_bytes_that_lie_about_their_length_spoil_no_answer_of_our_clients(sender, client, busy):
    """Triton 2.51 refuses the whole batch of such a request. FaceClient knows its own to be right, and asks again."""
    torn = Message(model_name="mtcnn")
    add_tensor(torn, "encoded_image", "BYTES", [1, 1], b"\x05\0\0\0abc")
    with busy(), ThreadPoolExecutor(8) as pool:
        refused = [pool.submit(sender.one, torn) for _ in range(2)]
        answers = [pool.submit(client.detect, sound_files()[0]) for _ in range(4)]
    assert [outcome.result().status for outcome in refused] == ["INVALID_ARGUMENT"] * 2
    assert all(answer.result() is not None for answer in answers)


@pytest.mark.parametrize(("leak", "grown"), [(0, []), (GROWTH + 1, ["mtcnn"])])
def test_a_leak_is_told_from_a_step(leak, grown):
    census = Census(0)
    census.takes = [Take(n, {"mtcnn": leak * n + 100 * GROWTH * (n > 12), "pnet": 5}, {1, 2}) for n in range(TAKES + 1)]
    assert census.grown() == grown
    assert census.died() == set()


def test_the_same_seed_makes_the_same_requests():
    one, other = (list(chunks(60, SEED)) for _ in range(2))
    assert [request.SerializeToString() for request in one[0]] == [request.SerializeToString() for request in other[0]]
    assert one[0] != next(chunks(60, SEED + 1))


def test_damaged_files_are_neither_all_sound_nor_all_lost():
    rng = random.Random(3)
    files = [damaged(rng) for _ in range(300)]
    assert 10 < sum(file in sound_files() for file in files) < 100
    assert len(set(files)) > 200


@pytest.mark.parametrize("sizes", [(1, 2**33, 2**31, 3), (1, 2**62, 4, 3)])
def test_the_one_known_way_to_end_a_process_is_left_out(sizes):
    assert wraps_around(list(sizes), 0, 1)
    assert not wraps_around([1, 40, 40, 3], 4800, 1)
    assert np.prod(np.array(sizes, np.int64)) == 0


def test_what_errors_may_not_say():
    assert loose_talk("Traceback (most recent call last)") == "the error shows a traceback"
    assert loose_talk("failed in /opt/models/x") == "the error shows a path"
    assert loose_talk("model.py line 3") == "the error shows a path"
    assert loose_talk("") == "the error has 0 characters"
    assert loose_talk("failed at 0x7f3c6cc01250") == "the error shows an address"
    assert not loose_talk("factor is 7, must be from 0.1 to 0.9")
    assert not loose_talk("encoded_image has 4522080x4259841 = 19263341789280 pixels; at most 50000000 are allowed")


def test_a_callers_own_names_are_no_loose_talk():
    request = Message(model_name="mtcnn")
    request.inputs.add(name="/v1/traces")
    assert not loose_talk(without_names("input '/v1/traces' already exists in request", request))
    assert loose_talk(without_names("input '/opt/models' already exists in request", request))
