"""Runs of `faces batch` as people start them, over generated pictures."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from PIL import Image

from tests.pictures import astronaut

FACES = str(Path(sys.executable).with_name("faces"))
PICTURES, SHARD_SIZE = 48, 6
"""Of `batch_source` and `undisturbed` (conftest.py)."""

FORMATS = ("jpg", "png", "webp", "bmp")

_AT_WORK = "ray::do_shard"


def generate(folder, count, size=(240, 180), seed=0):
    """So many pictures in several formats and folders: the portrait, small and anywhere; each tenth is broken."""
    choice = random.Random(seed)
    portrait = Image.fromarray(astronaut())
    for number in range(count):
        canvas = Image.new("RGB", size, tuple(choice.randrange(256) for _ in range(3)))
        side = choice.randrange(100, 180)
        canvas.paste(
            portrait.resize((side, side)), (choice.randrange(size[0] - side), choice.randrange(size[1] - side + 1))
        )
        file = folder / str(number % 3) / f"{number:04d}.{choice.choice(FORMATS)}"
        file.parent.mkdir(parents=True, exist_ok=True)
        canvas.save(file)
        if number % 10 == 4:
            file.write_bytes(choice.choice((b"", b"no picture", file.read_bytes()[:200])))
    return folder


def start(*arguments, **options):
    """`faces batch` with these arguments, as a process."""
    command = [FACES, "batch", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def run(*arguments, status=0, **options):
    """The same to its end; what it wrote to both streams."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=300)
    assert process.returncode == status, err
    return out + err


def parts(target):
    """The files of a target that others read, by name."""
    return {
        file.name: file.read_bytes() for file in sorted(Path(target).glob("part-*")) + sorted(Path(target).glob("_S*"))
    }


def family(process):
    """All processes below one."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def workers(process):
    """Those of them that are at a shard."""
    return [each for each in family(process) if named(each, _AT_WORK)]


def hold_worker(process):
    """Stops one of them until it is told to go on: the run is in the middle for as long as a test needs it there."""
    held = []

    def hold():
        for worker in workers(process):
            worker.suspend()
            if named(worker, _AT_WORK):
                held.append(worker)
                return True
            # It was just done.
            worker.resume()
        return False

    wait_for(hold)
    return held[0]


def named(process, name):
    try:
        return " ".join(process.cmdline()).startswith(name)
    except psutil.Error:
        return False


def wait_for(condition, seconds=60):
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def kill(process):
    """With all that works for it gone: that ends by itself. Ray's agents look for their parent once a minute only."""
    there = [each for each in family(process) if not named(each, "ray::RuntimeEnv") and not named(each, "ray::Dash")]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()
    _, alive = psutil.wait_procs(there, timeout=90)
    assert not alive, [" ".join(each.cmdline()) for each in alive]
