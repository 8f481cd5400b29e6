"""`faces deploy` and what it takes: servers with a key, a retrained network, photos."""

import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image

from face_command.main import main
from face_export.readers import read_stage
from face_server.settings import ADMIN_KEY_VARIABLE
from tests.pictures import DATA, wall

FACES = Path(sys.executable).with_name("faces")
KEY = "0123456789abcdef"


def altered_pnet(by):
    """The pretrained PNet's tensors, with its boxes moved by so much of a window, or blind for 1 and more."""
    tensors = {name: tensor.clone() for name, tensor in read_stage("pnet").tensors.items()}
    if by < 1:
        tensors["conv4_2.bias"] += by
    else:
        tensors["conv4_1.bias"] += torch.tensor([20.0, -20.0])
    return tensors


def retrained_pnet(folder):
    """Weights of a PNet that finds the same faces by other windows."""
    path = folder / "retrained.pt"
    torch.save(altered_pnet(0.005), path)
    return path


def photos_with_faces(folder):
    """Four pictures with 35 faces: enough to show that nine of ten are the same."""
    folder.mkdir()
    shutil.copy(DATA / "astronaut.png", folder)
    for width, height in ((1280, 720), (1600, 900), (1920, 1080)):
        Image.fromarray(wall(width, height)).save(folder / f"{width}.png")
    return folder


@contextmanager
def served(models, *options):
    """`faces serve` as a user runs it, supervised; its gRPC endpoint, and its log as it grows."""
    command = [FACES, "serve", "--any-ports", "--repository", models, *options]
    environment = {**os.environ, ADMIN_KEY_VARIABLE: KEY}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as server:
        log = []
        reader = threading.Thread(target=lambda: log.extend(server.stdout))
        try:
            for line in server.stdout:
                log.append(line)
                if line.strip() == "ready":
                    break
            reader.start()
            yield re.search(r"^gRPC +(\S+)$", "".join(log), re.MULTILINE).group(1), log
        finally:
            server.terminate()
            reader.join()
    assert server.returncode == 0


def deploy(*arguments):
    """`faces deploy` in this process, which compiles each network once."""
    return main(["deploy", *map(str, arguments)])
