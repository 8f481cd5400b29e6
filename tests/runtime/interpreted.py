"""The kernels in triton's interpreter, which needs no GPU: tests import them from here and nowhere else.

triton decides when a function is decorated; tests/conftest.py has it decide for its own library.
"""

import pytest
import triton.language
from triton.runtime.interpreter import InterpretedFunction

with pytest.MonkeyPatch.context() as _environment:
    _environment.setenv("TRITON_INTERPRET", "1")
    from face_runtime.device import kernels, pnet

assert isinstance(triton.language.cdiv, InterpretedFunction), "triton was imported before"
assert isinstance(kernels._draw, InterpretedFunction), "the kernels were imported before"
assert isinstance(pnet._first, InterpretedFunction), "PNet's kernels were imported before"

__all__ = ["kernels", "pnet"]
