"""Sources of video that misbehave: network cameras that send Motion JPEG over HTTP, or do not."""

import io
import socket
import threading
from contextlib import contextmanager

import numpy as np
from PIL import Image

from tests import clips

_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n"


def _part():
    jpeg = io.BytesIO()
    Image.fromarray(clips.background()).save(jpeg, "JPEG")
    data = jpeg.getvalue()
    return b"--f\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data) + data + b"\r\n"


def silent_after(frames):
    """Sends some frames, then nothing, and stays connected."""

    def send(peer, _ended):
        peer.recv(4096)
        peer.sendall(_HEAD + _part() * frames)

    return send


def never_answers(_peer, _ended):
    """Is connected, and that is all."""


def garbage_after(frames):
    """Sends some frames, then what is no picture, without end."""

    def send(peer, ended):
        peer.recv(4096)
        peer.sendall(_HEAD + _part() * frames)
        noise = np.random.default_rng(0).integers(0, 256, 65_536, np.uint8).tobytes()
        while not ended.wait(0.01):
            peer.sendall(noise)

    return send


@contextmanager
def camera(send):
    """The address of a camera that does `send(socket, ended)` with whoever connects."""
    ended = threading.Event()
    peers = []

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peers.append(peer)
            try:
                send(peer, ended)
            except OSError:
                continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/live.mjpg"
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for peer in peers:
                peer.close()
