"""What holds for all tests."""

import signal

import pytest

# What a shell puts into the background has Ctrl-C ignored, and hands that on; tests send it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# triton decides when it is imported whether its library is interpreted (see tests/runtime/interpreted.py), and any test
# may be the first that imports it, through torch. Processes that tests start do not inherit the choice.
with pytest.MonkeyPatch.context() as _environment:
    _environment.setenv("TRITON_INTERPRET", "1")
    # Imported with the first launch otherwise: it checks the variable too.
    import triton.experimental.gluon  # noqa: F401

# Fixtures of the client's tests and of the commands', and of what needs galleries.
pytest_plugins = ["tests.fakes", "tests.gallery.stores"]
