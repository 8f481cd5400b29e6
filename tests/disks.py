"""A disk that is soon full."""

import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def small_disk(folder, kilobytes=64):
    """A file system of its own in an empty folder; gives a function that makes it larger.

    Skips where nobody may mount one, as without root.
    """

    def mount(*options):
        return subprocess.run(["mount", *options, folder], capture_output=True, text=True)

    made = mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs")
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    try:
        yield lambda more: mount("-o", f"remount,size={more}k")
    finally:
        subprocess.run(["umount", folder], check=True)
