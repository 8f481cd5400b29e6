"""Clients that were used before a fork, and clients that travel."""

import os
import pickle
import subprocess
import sys

import pytest

from face_client import AsyncFaceClient, FaceClient, RetryBudget, Tls
from tests.client.small_server import SmallServer
from tests.client.twins import AsyncFake

# Each uses a client, forks, and uses it in the child, which says how many faces it found, and then in the parent again.
_PROGRAM = """
import asyncio, faulthandler, os, sys
import numpy as np
from face_client import AsyncFaceClient, FaceClient, Weights

url, kind = sys.argv[1:]
picture = np.zeros((4, 20, 3), np.uint8)
large = np.zeros((4, 4000, 3), np.uint8)
if kind.startswith("torch"):
    import torch
    from face_client.facenet_pytorch import MTCNN, InceptionResnetV1
    # From now on torch has threads of its own, which a child has not.
    torch.zeros(1000, 1000) + 1

async def found(client):
    return len(await client.detect(picture))

class FaceNet:
    def weights(self):
        return Weights("a.pt", "", random=False)

    def embed(self, crops):
        return np.zeros((len(crops), 512), np.float32)

def embeddings(crops):
    return len(InceptionResnetV1(client=FaceNet())(crops))

if kind.startswith("torch"):
    from PIL import Image
    pictures = [Image.fromarray(large), large, torch.from_numpy(large), torch.from_numpy(large).to(torch.bfloat16)]
    mtcnn = MTCNN(url=url, keep_all=True)
    if kind == "torch-resnet":
        kinds = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
        crops = [torch.zeros(80, 3, 160, 160, dtype=kind) for kind in kinds]
        used = lambda: sum(map(embeddings, crops)) // 80
    else:
        used = lambda: sum(map(len, mtcnn(pictures))) // 4
elif kind == "ipazc":
    from face_client.mtcnn import MTCNN
    detector = MTCNN(url=url)
    used = lambda: len(detector.detect_faces(large))
elif kind.startswith("async"):
    client = AsyncFaceClient(url)
    used = lambda: asyncio.run(found(client))
else:
    urls = {"balanced": [url, f"ipv4:{url}"], "name": f"dns:///localhost:{url.rpartition(':')[2]}"}
    client = FaceClient(urls.get(kind, url))
    used = lambda: sum(map(len, client.detect_batch([picture] * 3))) if kind == "batch" else len(client.detect(picture))
print(used(), end=" ", flush=True)
if kind == "async-then-sync":
    client = FaceClient(url)
    used = lambda: len(client.detect(picture))
child = os.fork()
if not child:
    faulthandler.dump_traceback_later(30, exit=True)
    try:
        print(used(), end=" ", flush=True)
    except Exception as error:
        print(error, end=" ", flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(used())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("one", "4 4 4"),
        ("balanced", "4 4 4"),
        ("name", "4 4 4"),
        ("batch", "12 12 12"),
        ("async-then-sync", "4 4 4"),
        ("torch", "4 4 4"),
        ("torch-resnet", "4 4 4"),
        ("ipazc", "4 4 4"),
        ("async", "AsyncFaceClient was used before this process was forked"),
    ],
)
def test_used_before_a_fork(kind, said):
    server = SmallServer()
    command = [sys.executable, "-c", _PROGRAM, server.url, kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    server.stop()
    assert said in done.stdout, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_lock_that_a_thread_held_at_the_fork_is_free_in_the_child():
    budget = RetryBudget()
    with budget._lock:
        child = os.fork()
        if not child:
            free = budget._lock.acquire(timeout=1)
            os._exit(0 if free and budget.spend.__self__ is budget else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("kind", [FaceClient, AsyncFaceClient])
def test_a_client_travels_without_its_connection(kind):
    client = kind(
        ["a:1", "dns:///b:2"],
        model="m",
        recognizer="r",
        embedder="e",
        timeout=None,
        retries=7,
        tls=Tls(),
        retry_budget=None,
    )
    copy = pickle.loads(pickle.dumps(client))
    assert type(copy) is kind
    for name in ("url", "model", "recognizer", "embedder", "timeout", "retries", "_tls"):
        assert getattr(copy, name) == getattr(client, name)
    assert copy._transport is not client._transport


def test_a_used_and_closed_client_travels_and_is_open_there(picture):
    server = SmallServer()
    with FaceClient(server.url) as client:
        client.detect(picture)
    with pickle.loads(pickle.dumps(client)) as copy:
        assert len(copy.detect(picture)) == len(picture)
    server.stop()


def test_a_shared_budget_stays_shared():
    budget = RetryBudget(0.5)
    one, other = pickle.loads(pickle.dumps([FaceClient(retry_budget=budget), FaceClient(retry_budget=budget)]))
    assert one._retry_budget is other._retry_budget
    assert one._retry_budget._share == 0.5


def test_a_transport_of_its_own_travels_where_it_can(make_transport):
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(AsyncFaceClient(transport=AsyncFake(make_transport())))
