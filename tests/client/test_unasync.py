"""The client's twin is what its source says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def check(client):
    return subprocess.run([sys.executable, client / "unasync.py", "--check"], capture_output=True, text=True, cwd=ROOT)


def test_the_sync_twin_is_generated():
    done = check(ROOT / "client")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_twin_that_was_changed_by_hand_is_named(tmp_path):
    client = tmp_path / "client"
    package = client / "face_client"
    for folder in ("_async", "_sync"):
        (package / folder).mkdir(parents=True)
    (client / "unasync.py").write_text((ROOT / "client" / "unasync.py").read_text())
    (package / "_async" / "client.py").write_text("async def ask():\n    return await answer()\n")
    assert subprocess.run([sys.executable, client / "unasync.py"], stdout=subprocess.DEVNULL).returncode == 0
    written = package / "_sync" / "client.py"
    assert written.read_text().endswith("def ask():\n    return answer()\n")
    assert check(client).returncode == 0
    written.write_text(written.read_text().replace("answer()", "42"))
    done = check(client)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{written} is not what")
