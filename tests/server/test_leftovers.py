"""What killed servers leave behind, and what is left alone."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from face_server.ending import PREFIX, Workplace, remove_leftovers


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where servers have their directories."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def regions():
    """region(directory): shared memory that belongs to it, as the Python backend names it."""
    made = []

    def region(directory):
        made.append(Path("/dev/shm", f"{directory.name}_{len(made)}"))
        made[-1].write_bytes(b"x")
        return made[-1]

    yield region
    for path in made:
        path.unlink(missing_ok=True)


def test_a_server_that_stops_takes_all_along(temporary, regions):
    workplace = Workplace.make()
    region = regions(workplace.path)
    workplace.remove()
    assert not region.exists()
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("temporary")
def test_somebody_else_has_removed_it_already(regions):
    workplace = Workplace.make()
    region = regions(workplace.path)
    shutil.rmtree(workplace.path)
    workplace.remove()
    assert not region.exists()


def test_a_server_that_lives_is_left_alone(temporary, regions):
    workplace = Workplace.make()
    region = regions(workplace.path)
    assert remove_leftovers() == []
    assert region.exists()
    assert [path.name for path in temporary.iterdir()] == [workplace.path.name]
    workplace.remove()


def test_the_next_one_removes_what_a_killed_one_left(temporary, regions):
    killed = Workplace.make()
    region = regions(killed.path)
    # As the system does for a process that ends, whatever ends it.
    killed.lock.close()
    following = Workplace.make()
    assert not region.exists()
    assert list(temporary.iterdir()) == [following.path]
    following.remove()


def test_a_server_lives_as_long_as_any_of_its_processes(temporary):
    """They inherit the lock."""
    workplace = Workplace.make()
    inherited = os.dup(workplace.lock.fileno())
    workplace.lock.close()
    assert remove_leftovers() == []
    os.close(inherited)
    assert remove_leftovers() == [workplace.path]
    assert list(temporary.iterdir()) == []


def test_other_directories_are_none_of_ours(temporary):
    (temporary / f"{PREFIX}without-a-lock").mkdir()
    (temporary / "other").mkdir()
    (temporary / "other" / "lock").touch()
    assert remove_leftovers() == []
    assert len(list(temporary.iterdir())) == 2


def test_a_lock_is_never_seen_unlocked(temporary):
    workplace = Workplace.make()
    with (workplace.path / "lock").open("r+") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    workplace.remove()
    assert list(temporary.iterdir()) == []
