"""What holds for all tests."""

import signal

# What a shell puts into the background has Ctrl-C ignored, and hands that on; tests send it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Fixtures of the client's tests and of the commands'.
pytest_plugins = ["tests.fakes"]
