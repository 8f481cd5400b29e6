"""Machine code on disk: whole or not at all, and from nobody else."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from face_cascade import code_cache
from face_cascade.code_cache import VARIABLE, CodeCache, Unusable, folder_of

NOBODY = 65534


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "caches" / "code"


@pytest.fixture
def ordinary_folder():
    """A folder of a user whom permissions bind: root is somebody else for as long."""
    folder = Path(tempfile.mkdtemp())
    was_root = os.geteuid() == 0
    if was_root:
        os.chown(folder, NOBODY, -1)
        os.seteuid(NOBODY)
    yield folder
    if was_root:
        os.seteuid(0)
    folder.chmod(0o700)
    shutil.rmtree(folder)


def only_file(folder):
    [file] = folder.glob("*.code")
    return file


def mode(path):
    return path.stat().st_mode & 0o7777


def test_what_was_stored_is_loaded_by_its_key_alone(folder):
    CodeCache(folder).store("a", b"one")
    CodeCache(folder).store("b", b"")
    cache = CodeCache(folder)
    assert (cache.load("a"), cache.load("b"), cache.load("c")) == (b"one", b"", None)
    cache.store("a", b"two")
    assert cache.load("a") == b"two"
    assert cache.trouble == ""


def test_nobody_else_may_even_look(folder):
    before = os.umask(0)
    try:
        CodeCache(folder).store("a", b"one")
    finally:
        os.umask(before)
    assert [mode(path) for path in (folder.parent, folder, only_file(folder))] == [0o700, 0o700, 0o600]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[:10],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[:30] + bytes([data[30] ^ 1]) + data[31:],
        lambda data: data.replace(b"code 1", b"code 2"),
        lambda _: b"one",
    ],
)
def test_a_damaged_file_is_as_none_and_replaced(folder, damage):
    cache = CodeCache(folder)
    cache.store("a", b"payload")
    file = only_file(folder)
    file.write_bytes(damage(file.read_bytes()))
    assert cache.load("a") is None
    cache.store("a", b"payload")
    assert cache.load("a") == b"payload"


def test_a_file_under_anothers_name_is_as_none(folder):
    cache = CodeCache(folder)
    cache.store("a", b"payload")
    name = only_file(folder).name
    cache.store("b", b"other")
    [other] = {file.name for file in folder.glob("*.code")} - {name}
    (folder / name).replace(folder / other)
    assert cache.load("b") is None


@pytest.mark.parametrize("extra", [0o020, 0o002])
def test_what_others_can_write_is_refused(folder, extra):
    CodeCache(folder).store("a", b"one")
    folder.chmod(0o700 | extra)
    refusing = CodeCache(folder)
    assert refusing.load("a") is None
    assert refusing.trouble == f"{folder} cannot be used: it can be written by others (mode {0o700 | extra:o})"
    refusing.store("b", b"two")
    assert len(list(folder.glob("*.code"))) == 1

    folder.chmod(0o700)
    only_file(folder).chmod(0o600 | extra)
    refusing = CodeCache(folder)
    assert refusing.load("a") is None
    assert "a file in the folder can be written by others" in refusing.trouble


def test_another_users_folder_is_refused(folder, monkeypatch):
    CodeCache(folder).store("a", b"one")
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    refusing = CodeCache(folder)
    assert refusing.load("a") is None
    assert refusing.trouble == f"{folder} cannot be used: it belongs to user {me}, and this is user {me + 1}"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")
def test_another_users_file_is_refused(folder):
    cache = CodeCache(folder)
    cache.store("a", b"one")
    os.chown(only_file(folder), NOBODY, -1)
    assert cache.load("a") is None
    assert f"a file in the folder belongs to user {NOBODY}" in cache.trouble


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root in another user's home")
def test_root_makes_nothing_in_the_home_of_another_user(tmp_path):
    os.chown(tmp_path, NOBODY, -1)
    cache = CodeCache(tmp_path / ".cache" / "triton-faces" / "code")
    cache.store("a", b"one")
    assert f"{tmp_path}, where it would be made, belongs to user {NOBODY}" in cache.trouble
    assert not list(tmp_path.iterdir())


def test_a_read_only_folder_is_read(ordinary_folder):
    CodeCache(ordinary_folder).store("a", b"one")
    ordinary_folder.chmod(0o500)
    cache = CodeCache(ordinary_folder)
    with cache.alone("a"):
        assert cache.load("a") == b"one"
    assert cache.trouble == ""
    cache.store("b", b"two")
    assert cache.load("b") is None
    assert cache.trouble == f"{ordinary_folder} cannot be used: Permission denied"


def test_where_no_folder_can_be_made_it_goes_on_without(ordinary_folder):
    ordinary_folder.chmod(0o500)
    cache = CodeCache(ordinary_folder / "caches" / "code")
    with cache.alone("a"):
        assert cache.load("a") is None
        cache.store("a", b"one")
    assert "Permission denied" in cache.trouble


def test_a_file_in_the_folders_place(tmp_path):
    (tmp_path / "code").write_text("")
    cache = CodeCache(tmp_path / "code")
    assert cache.load("a") is None
    assert cache.trouble == f"{tmp_path / 'code'} cannot be used: Not a directory"


def test_a_full_disk_leaves_nothing(folder, monkeypatch):
    def full(*_arguments, **_names):
        raise OSError(28, os.strerror(28))

    cache = CodeCache(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        cache.store("a", b"one")
    assert cache.trouble == f"{folder} cannot be used: No space left on device"
    assert not list(folder.glob("*.code*"))


def test_what_was_not_used_for_longest_goes(folder, monkeypatch):
    monkeypatch.setattr(code_cache, "_MOST_FILES", 2)
    cache = CodeCache(folder)
    for age, key in ((30, "a"), (20, "b")):
        cache.store(key, b"")
        os.utime(folder / code_cache._name(key), (time.time() - age,) * 2)
    cache.load("a")
    (folder / "abandoned.part").touch()
    os.utime(folder / "abandoned.part", (0, 0))
    (folder / "of-another-process.part").touch()
    (folder / "notes.txt").touch()
    cache.store("c", b"")
    assert [cache.load(key) for key in "abc"] == [b"", None, b""]
    assert sorted(file.name for file in folder.iterdir() if file.suffix != ".code") == [
        "notes.txt",
        "of-another-process.part",
    ]


def test_where_it_lies(monkeypatch, tmp_path):
    home = {"HOME": str(tmp_path)}
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder_of(home) == tmp_path / ".cache/triton-faces/code"
    assert folder_of({"XDG_CACHE_HOME": "/x"}) == Path("/x/triton-faces/code")
    assert folder_of({"XDG_CACHE_HOME": "x"}) == tmp_path / ".cache/triton-faces/code"
    assert folder_of({"XDG_CACHE_HOME": "/x", VARIABLE: "/y"}) == Path("/y")
    assert folder_of({VARIABLE: "off"}) is None
    with pytest.raises(Unusable, match="TRITON_FACES_CODE_CACHE is 'y', which is neither an absolute path nor 'off'"):
        folder_of({VARIABLE: "y"})


def test_off_is_no_trouble():
    cache = CodeCache.of({VARIABLE: "off"})
    with cache.alone("a"):
        cache.store("a", b"one")
    assert cache.load("a") is None
    assert cache.trouble == ""


def test_a_user_without_a_home(monkeypatch):
    def unknown(_user):
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    cache = CodeCache.of({})
    cache.store("a", b"one")
    assert cache.trouble == "this user has no home folder, and TRITON_FACES_CODE_CACHE names no other"


WRITER = """
import sys
from pathlib import Path
from face_cascade.code_cache import CodeCache
cache = CodeCache(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(300):
    cache.store("key", sys.argv[2].encode() * 20000)
assert not cache.trouble, cache.trouble
"""


def test_no_half_file_is_ever_read(folder):
    """Two processes write under one key, this one reads."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for text in "ab"
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    cache = CodeCache(folder)
    cache.store("key", b"a" * 20000)
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    seen = set()
    while any(writer.poll() is None for writer in writers):
        seen.add(cache.load("key"))
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen == {b"a" * 20000, b"b" * 20000}
    assert [file.suffix for file in folder.iterdir()] == [".code"]


HOLDER = """
import sys, time
from pathlib import Path
from face_cascade.code_cache import CodeCache
with CodeCache(Path(sys.argv[1])).alone("key"):
    print("alone", flush=True)
    sys.stdin.readline()
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("ends", ["it is done", "it is killed"])
def test_one_waits_for_the_other(folder, ends, monkeypatch):
    CodeCache(folder).store("other", b"")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "alone\n"
    cache = CodeCache(folder)
    with cache.alone("another key"):
        pass
    monkeypatch.setattr(code_cache, "_PATIENCE_SECONDS", 0.1)
    started = time.monotonic()
    with cache.alone("key"):
        assert time.monotonic() - started > 0.1, "patience has an end"
    monkeypatch.undo()
    waits = []
    if ends == "it is done":
        monkeypatch.setattr(time, "sleep", lambda _: waits or (waits.append(1), tell(holder)))
        with cache.alone("key"):
            assert holder.stdout.readline() == "done\n"
    else:
        monkeypatch.setattr(time, "sleep", lambda _: waits or (waits.append(1), holder.send_signal(signal.SIGKILL)))
        with cache.alone("key"):
            assert holder.wait() == -signal.SIGKILL
    assert waits
    holder.kill()
    holder.wait()


def tell(process):
    process.stdin.write("\n")
    process.stdin.flush()
