"""`faces page` as a process of its own, before a server."""

import re
import subprocess
from contextlib import contextmanager

from tests.e2e.served import FACES


@contextmanager
def page(grpc_url, *arguments):
    """Its address, http://127.0.0.1:PORT, once it is ready."""
    command = [FACES, "page", "--url", grpc_url, "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = "".join(iter_until(process.stderr, "ready\n"))
            yield re.search(r"^page +(http://\S+?)/$", said, re.MULTILINE)[1]
        finally:
            process.terminate()
            process.communicate(timeout=60)


def iter_until(lines, last):
    """The lines up to one that is so, or the end."""
    for line in lines:
        yield line
        if line == last:
            return
