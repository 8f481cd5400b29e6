"""Compiled functions kept on disk: the same bits with and without, and never another's code."""

import json
import os
import pickle
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import llvmlite
import numba
import numpy as np
import pytest
from llvmlite import binding
from numba.core import config

from face_cascade import code_cache, machine_code
from face_cascade.code_cache import CodeCache
from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.crops import COMPILED_ONET, COMPILED_RNET, CropNetwork
from face_cascade.machine_code import kept, key_of, named
from face_cascade.networks import RNET

TRIPLE = ("x86_64-unknown-linux-gnu", "znver3", "+avx2")


def function():
    pass


def key(of=function, types="void(float32)", magic=TRIPLE):
    machine_code._surroundings.cache_clear()
    return key_of(of, types, SimpleNamespace(codegen=lambda: SimpleNamespace(magic_tuple=lambda: magic)))


@pytest.fixture(autouse=True)
def unchanged():
    yield
    machine_code._surroundings.cache_clear()


def test_the_same_is_the_same():
    assert key() == key()


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (binding, "get_host_cpu_name", lambda: "another"),
        (binding, "get_host_cpu_features", lambda: SimpleNamespace(flatten=lambda: "+another")),
        (binding, "llvm_version_info", (1, 2, 3)),
        (llvmlite, "__version__", "1.2.3"),
        (numba, "__version__", "1.2.3"),
        (np, "__version__", "1.2.3"),
        (sys, "version", "3.11.99"),
        # As NUMBA_OPT, NUMBA_CPU_NAME and others in the environment set them; the last is a library that numba found.
        (config, "OPT", 2),
        (config, "CPU_NAME", "generic"),
        (config, "USING_SVML", not config.USING_SVML),
        (machine_code, "_OPTIONS", {"nogil": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_decides_about_the_code_is_in_the_key(monkeypatch, where, name, value):
    before = key()
    monkeypatch.setattr(where, name, value)
    assert key() != before


def test_what_decides_nothing_is_not(monkeypatch):
    before = key()
    monkeypatch.setattr(config, "CACHE_DIR", "/elsewhere")
    monkeypatch.setattr(config, "NUMBA_NUM_THREADS", 64)
    assert key() == before


def test_types_target_and_name_are_in_the_key():
    @named(1)
    def one():
        pass

    @named(2)
    def two():
        pass

    keys = [key(), key(types="void(float64)"), key(magic=(*TRIPLE[:2], "+avx512f")), key(one), key(two)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("change", ["a line", "a file", "a name"])
def test_our_sources_are_in_the_key(tmp_path, change):
    (tmp_path / "compiled").mkdir()
    (tmp_path / "compiled" / "kernel.py").write_text("1\n")
    before = machine_code._sources(tmp_path)
    if change == "a line":
        (tmp_path / "compiled" / "kernel.py").write_text("2\n")
    elif change == "a file":
        (tmp_path / "__init__.py").touch()
    else:
        (tmp_path / "compiled" / "kernel.py").rename(tmp_path / "compiled" / "other.py")
    assert machine_code._sources(tmp_path) != before


def variant(**changes):
    first, second, third = COMPILED_RNET.convolutions
    layers = {"first": first, "second": second, "third": third, **changes}
    return CropNetwork(RNET, tuple(layers.values()), COMPILED_RNET.poolings, 128, COMPILED_RNET.heads)


def test_each_shape_of_a_network_has_a_name_of_its_own():
    """And with it a key, and a name for the linker."""
    others = [
        COMPILED_ONET,
        variant(second=Convolution(3, 3, 28, 24, typical_width=9), third=Convolution(2, 2, 24, 64, typical_width=3)),
        variant(third=Convolution(2, 2, 48, 64, typical_width=4)),
    ]
    names = {network.run.py_func.__qualname__ for network in (COMPILED_RNET, *others)}
    assert len(names) == 4
    assert variant().run.py_func.__qualname__ == COMPILED_RNET.run.py_func.__qualname__


def test_a_closure_without_a_name_of_its_own_is_refused():
    number = len(TRIPLE)

    def closure():
        return number

    with pytest.raises(TypeError, match=r"closure closes over something, and is not named for it"):
        kept()(closure)
    assert kept()(named(number)(closure)) is not None


def kept_sum():
    @kept()
    def plus(one, two):
        return one + two

    return plus


class Remembering(CodeCache):
    """Knows the keys under which something was stored, and how many of them are being compiled."""

    def __init__(self, folder):
        super().__init__(folder)
        self.keys, self.held = [], 0

    def store(self, key, payload):
        self.keys.append(key)
        super().store(key, payload)

    @contextmanager
    def alone(self, key):
        self.held += 1
        with super().alone(key):
            yield
        self.held -= 1


@pytest.fixture
def cache(tmp_path, monkeypatch):
    cache = Remembering(tmp_path / "code")
    monkeypatch.setattr(code_cache, "shared", lambda: cache)
    return cache


@pytest.mark.parametrize("payload", [b"no pickle", pickle.dumps(()), pickle.dumps([None] * 9), b"cno_module\nname\n."])
def test_what_cannot_be_rebuilt_is_compiled_anew_and_replaced(cache, payload):
    """With the right checksum: a numba of the same version that was patched may have written it."""
    assert kept_sum()(1, 2) == 3
    [key] = cache.keys
    cache.store(key, payload)
    assert kept_sum()(1, 2) == 3
    assert cache.keys == [key] * 3
    assert cache.trouble.startswith("a function that was kept cannot be used: ")
    assert kept_sum()(1, 2) == 3
    assert cache.keys == [key] * 3
    assert cache.held == 0


def test_code_with_addresses_of_this_process_is_not_kept(cache):
    compiled = SimpleNamespace(library=SimpleNamespace(has_dynamic_globals=True))
    machine_code._OnDisk(function).save_overload("()", compiled)
    assert cache.keys == []


def test_what_does_not_compile_keeps_others_waiting_once(cache):
    @kept()
    def wrong(one):
        return one.nothing

    for _ in range(3):
        with pytest.raises(numba.TypingError):
            wrong(1)
    assert cache.held == 1


def start(folder, *widths):
    """Another process, which compiles or loads a layer for each of the widths."""
    command = [sys.executable, "-m", "tests.cascade.kept_layers", *map(str, widths)]
    environment = {**os.environ, code_cache.VARIABLE: str(folder)}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def told(process):
    """(what the layers answered, how many of them were compiled, what troubled the cache)"""
    output, _ = process.communicate("\n")
    assert process.returncode == 0
    told = json.loads(output.splitlines()[-1])
    return told["answers"], told["compiled"], told["trouble"]


def ran(folder, *widths):
    return told(start(folder, *widths))


@pytest.fixture(scope="module")
def plain():
    """What layers of two widths answer that are compiled in one process, and kept nowhere."""
    answers, compiled, trouble = ran("off", 5, 7)
    assert (compiled, trouble) == (2, "")
    assert answers[0] != answers[1]
    return answers


@pytest.mark.slow
def test_what_two_processes_compiled_serves_a_third(tmp_path, plain):
    """Both layers have the same types and, but for what they are `named` for, the same name in their process."""
    assert ran(tmp_path / "code", 5) == (plain[:1], 1, "")
    assert ran(tmp_path / "code", 7) == (plain[1:], 1, "")
    assert ran(tmp_path / "code", 5, 7) == (plain, 0, "")
    assert ran(tmp_path / "code", 7, 5) == (plain[::-1], 0, "")


@pytest.mark.slow
def test_two_processes_at_once_compile_once(tmp_path, plain):
    both = [start(tmp_path / "code", 5) for _ in range(2)]
    # Imports take longest: they go on together.
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    found = [told(process) for process in both]
    assert [answers for answers, _, _ in found] == [plain[:1]] * 2
    assert sum(compiled for _, compiled, _ in found) == 1


@pytest.mark.slow
def test_a_damaged_file_is_compiled_anew(tmp_path, plain):
    folder = tmp_path / "code"
    ran(folder, 5)
    files = list(folder.glob("*.code"))
    assert files
    for file in files:
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
    assert ran(folder, 5) == (plain[:1], 1, "")
    assert ran(folder, 5) == (plain[:1], 0, "")


@pytest.mark.slow
def test_without_a_folder_it_is_compiled(tmp_path, plain):
    tmp_path.chmod(0o777)
    answers, compiled, trouble = ran(tmp_path, 5)
    assert (answers, compiled) == (plain[:1], 1)
    assert trouble == f"{tmp_path} cannot be used: it can be written by others (mode 777)"


ALL_KERNELS = """
import hashlib, json
from numba.core import event
with event.install_recorder("numba:compile") as compiled:
    from tests.cascade.kept_layers import of_all_kernels
    answers = of_all_kernels()
print(json.dumps([answers, len(compiled.buffer)]))
"""


@pytest.mark.slow
def test_all_kernels_are_kept_and_give_the_same_bits():
    """The networks, area averages and suppression, by the cache that all tests use, and compiled anew."""

    def run(**environment):
        command = [sys.executable, "-c", ALL_KERNELS]
        ended = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **environment})
        return json.loads(ended.stdout)

    with_cache = run() and run()
    without = run(**{code_cache.VARIABLE: "off"})
    assert with_cache[0] == without[0]
    assert len(set(without[0])) == 9
    assert with_cache[1] == 0 < without[1]
