"""Processes that die in the midst of it: the gallery opens, and holds exactly what was acknowledged."""

import os
import random
import select
import signal
import time

import numpy as np
import pytest

from face_gallery.opening import open_store
from face_gallery.records import NewFace
from face_gallery.store import Enrolment
from tests.gallery.people import TRAINED, units

_LINE = 32
_FACES = 2


def faces_of(name: str) -> list[NewFace]:
    number = int(name)
    return [NewFace(row, bytes([number % 256]) * 5000) for row in units(_FACES, number)]


def work(where: str, names: list[str], next_name: int, pipe: int, seed: int) -> None:
    """Adds and removes people for ever; tells what it is about to do (`+ 7`, `- 3`), and that it is done."""
    choice = random.Random(seed)
    there = list(names)
    with open_store(where) as store:
        while True:
            # The more there are the sooner one goes: a dozen or so stay.
            if choice.random() < len(there) / 24:
                name = there.pop(choice.randrange(len(there)))
                os.write(pipe, f"- {name}".ljust(_LINE).encode())
                store.remove("default", name)
            else:
                name = str(next_name)
                next_name += 1
                there.append(name)
                os.write(pipe, f"+ {name}".ljust(_LINE).encode())
                store.enrol([Enrolment("default", name, None, faces_of(name))], TRAINED)
            os.write(pipe, b"done".ljust(_LINE))


def killed(where: str, names: list[str], next_name: int, seed: int) -> list[str]:
    """What a process has said when it was killed at a random moment."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(where, names, next_name, writing, seed)
        finally:
            os._exit(1)
    os.close(writing)
    select.select([reading], [], [])
    # From within the first change to within the tenth or so.
    time.sleep(random.Random(seed).uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    return [said[start : start + _LINE].decode().strip() for start in range(0, len(said), _LINE)]


def contents(where: str) -> dict[str, list[np.ndarray]]:
    """The embeddings of all people, and that each face has its picture."""
    with open_store(where) as store:
        people = {person.id: person.name for person in store.people()}
        found: dict[str, list[np.ndarray]] = {name: [] for name in people.values()}
        for face in store.faces(TRAINED.sha256):
            assert face.crop == faces_of(people[face.person])[0].crop
            found[people[face.person]].append(face.embedding)
        return found


@pytest.mark.slow
def test_killed_at_any_moment(where):
    """A thousand moments of a file; PostgreSQL's own server outlives its clients."""
    moments = 1000 if where.endswith(".gallery") else 200
    there: set[str] = set()
    next_name = 1
    in_midst = 0
    for seed in range(moments):
        said = killed(where, sorted(there), next_name, seed)
        acknowledged, begun = there, None
        for line in said:
            if line != "done":
                begun = line
                if line[0] == "+":
                    next_name = int(line[2:]) + 1
                continue
            acknowledged, begun = after(acknowledged, begun), None
        found = contents(where)
        possible = [acknowledged] if begun is None else [acknowledged, after(acknowledged, begun)]
        assert set(found) in possible, f"seed {seed}: {begun}"
        in_midst += begun is not None
        there = set(found)
        for name, rows in found.items():
            assert np.array_equal(rows, [face.embedding for face in faces_of(name)]), name
    assert in_midst > moments / 5


def after(there: set[str], change: str) -> set[str]:
    name = change[2:]
    return there | {name} if change[0] == "+" else there - {name}
