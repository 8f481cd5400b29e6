"""Functions that numba compiles once for a machine: their machine code is kept on disk (`code_cache`).

numba's own cache knows the file of a function and its bytecode, but not the functions that it calls, nor what these
close over: of the networks, whose layers are closures, it would serve what was compiled for others. Here the key is all
that decides about the code: after any change of ours everything is compiled again.
"""

import hashlib
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import llvmlite
import numba
import numpy as np
from llvmlite import binding
from numba.core import config
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from face_cascade import code_cache

_Function = TypeVar("_Function", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}

# Of numba's settings those that say nothing about the code of one thread.
_OF_THE_PROCESS = {"CACHE_DIR", "NUMBA_NUM_THREADS", "NUMBA_DEFAULT_NUM_THREADS"}


_NAMED = "_is_named"


def named(*of: object) -> Callable[[_Function], _Function]:
    """For a function that closes over `of`: a name by which the same code has the same name in every process, and other
    code another one.

    The linker knows functions by their names. numba tells closures of one name apart by counting them, and begins anew
    in each process. Two networks of equal types whose code came out of two processes had one name in a third, and one
    was called for the other.
    """
    digest = hashlib.sha256(repr(of).encode()).hexdigest()[:16]

    def name(function: _Function) -> _Function:
        function.__qualname__ += f"_{digest}"
        function.__dict__[_NAMED] = True
        return function

    return name


def kept(signature: str | None = None) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit`, without the interpreter's lock, and what it compiles is kept on disk.

    signature: compiles (or loads) at once, for these types alone; None: with the first call of any types.
    A function that closes over anything must be `named` for it, and so must all closures that it calls. Raises
    TypeError for one that is not: the code of another with its name would be served for it.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if function.__closure__ and _NAMED not in function.__dict__:
            raise TypeError(f"{function.__qualname__} closes over something, and is not named for it")
        dispatcher = numba.njit(**_OPTIONS)(function)
        if dispatcher is function:
            # By NUMBA_DISABLE_JIT, for debuggers.
            return dispatcher
        # What numba asks before it compiles, and tells afterwards.
        dispatcher._cache = _OnDisk(function)
        if signature is not None:
            dispatcher.compile(signature)
            dispatcher.disable_compile()
        return dispatcher

    return decorate


class _OnDisk(NullCache):
    """The place of numba's own cache, for one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._compiling = ExitStack()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The function for these types, if it is kept. If not, whoever else compiles it now is waited for."""
        target_context.refresh()
        key, store = key_of(self._function, sig, target_context), code_cache.shared()
        # Still held where the last compilation raised.
        self._compiling.close()
        found = _rebuilt(store, key, target_context)
        if found is None:
            self._compiling.enter_context(store.alone(key))
            found = _rebuilt(store, key, target_context)
            if found is not None:
                self._compiling.close()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        with self._compiling:
            if data.library.has_dynamic_globals:
                # Addresses of this process are in the code.
                return
            key = key_of(self._function, sig, data.target_context)
            code_cache.shared().store(key, dumps(data._reduce()))


def _rebuilt(store: code_cache.CodeCache, key: str, target_context: Any) -> Any:
    """The function that is kept; None where there is none, or numba can make nothing of it. LLVM ends the process over
    broken machine code: against that there is the checksum alone."""
    payload = store.load(key)
    if payload is None:
        return None
    try:
        return CompileResult._rebuild(target_context, *pickle.loads(payload))
    except Exception as error:
        # Of a numba that was patched, say: anything may be raised. It is compiled anew, and stored over it.
        store.trouble = f"a function that was kept cannot be used: {error!r}"
        return None


def key_of(function: Callable[..., Any], types: Any, context: Any) -> str:
    """All that decides about the code of a function for arguments of these types. Weights are arguments, too."""
    name = f"{function.__module__}.{function.__qualname__}"
    return "\n".join(map(str, [name, types, _OPTIONS, context.codegen().magic_tuple(), *_surroundings()]))


@cache
def _surroundings() -> tuple[str, ...]:
    """What else decides about the code: the processor as LLVM sees it, who compiles, how, and our own sources."""
    return (
        f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}",
        f"llvm {binding.llvm_version_info} llvmlite {llvmlite.__version__} numba {numba.__version__}",
        f"numpy {np.__version__} python {sys.version}",
        f"settings {dict(_settings())}",
        f"sources {_sources(Path(__file__).parent)}",
    )


def _settings() -> Iterator[tuple[str, Any]]:
    """numba's: of the environment, of its file, and whether it found Intel's vector functions."""
    for name in dir(config):
        value = getattr(config, name)
        if name.isupper() and name not in _OF_THE_PROCESS and isinstance(value, int | float | str | None):
            yield name, value


def _sources(package: Path) -> str:
    """Of all files of the package: which of them decide, an import more would change."""
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{file.relative_to(package)}\n{file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
