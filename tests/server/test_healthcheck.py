"""The health check in NVIDIA's container, which lacks what the embedded server and the command line need."""

import subprocess
import sys

_BLOCKED = """
import runpy, sys
for name in ("psutil", "pytriton", "torch", "face_admin", "face_command", "face_export", "face_tools", "rich"):
    sys.modules[name] = None
sys.argv[1:] = ["http://127.0.0.1:1"]
runpy.run_module("face_server.healthcheck", run_name="__main__")
"""


def test_it_needs_neither_the_embedded_server_nor_the_command_line():
    done = subprocess.run([sys.executable, "-c", _BLOCKED], capture_output=True, text=True, check=False)
    # It has come as far as asking.
    assert (done.returncode, done.stderr) == (1, "model pnet is not ready at http://127.0.0.1:1\n")
