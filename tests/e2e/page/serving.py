"""`faces page` as a process of its own."""

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

FACES = Path(sys.executable).with_name("faces")


@contextmanager
def gateway(triton_url, *arguments):
    """Its address, once it listens."""
    process = Gateway(triton_url, *arguments)
    try:
        yield process.url
    finally:
        process.stop()


class Gateway:
    """On a free port, ready when made; `url` is its address, without a slash at the end."""

    def __init__(self, triton_url, *arguments):
        command = [FACES, "page", "--url", triton_url, "--port", "0", "--log-format", "none", *arguments]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        lines = []
        for line in self._process.stderr:
            lines.append(line)
            if line.strip() == "ready":
                break
        told = re.search(r"^page +(\S+)/$", "".join(lines), re.MULTILINE)
        assert told, lines
        self.url = told[1]

    def stop(self):
        self._process.terminate()
        self._process.communicate(timeout=60)
