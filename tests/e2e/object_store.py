"""A real S3 on this machine: SeaweedFS, and a proxy before it that is slow or refuses."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from pyarrow import fs

from face_server.ports import LOOPBACK, free_ports

KEY, SECRET = "faces", "a-secret-that-nobody-shows"
BUCKET = "bucket"
OPEN = "open"
"""A folder of the bucket, all that a guest reads; it sees the names of others."""

GUEST, GUEST_SECRET = "guest", "another-secret"

_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate</Message></Error>"
_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"


def query(port):
    """What an address says of a store on this machine."""
    return f"endpoint_override={LOOPBACK}:{port}&scheme=http&region=us-east-1"


@contextlib.contextmanager
def seaweed(folder):
    """The port of a store with an empty bucket."""
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    names += ("s3.port", "s3.port.grpc")
    ports = dict(zip(names, free_ports((LOOPBACK,) * len(names), (0,) * len(names)), strict=True))
    config = folder / "identities.json"
    guest = _identity(GUEST, GUEST_SECRET, f"List:{BUCKET}", f"Read:{BUCKET}/{OPEN}/*")
    config.write_text(json.dumps({"identities": [_identity(KEY, SECRET, "Admin"), guest]}))
    command = [Path(sys.executable).with_name("weed"), "server", "-s3", f"-dir={folder}", f"-s3.config={config}"]
    command += [f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", "-master.volumeSizeLimitMB=64", "-volume.max=20"]
    command += ["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    command += [f"-{name}={port}" for name, port in ports.items()]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _make_bucket(ports["s3.port"], process, folder / "log")
        yield ports["s3.port"]
    finally:
        # It does not end on less.
        process.send_signal(signal.SIGKILL)
        process.wait()


def _identity(key, secret, *actions):
    return {"name": key, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}


def _make_bucket(port, process, log):
    store = fs.S3FileSystem(
        access_key=KEY,
        secret_key=SECRET,
        endpoint_override=f"{LOOPBACK}:{port}",
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            store.create_dir(BUCKET)
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


class Proxy:
    """Before a server, a connection at a time in a thread each.

    delay_s: before each answer. refuse: how many of the next connections are answered with 503; refuse_every: of all so
    manieth are. connections, refused: how many there were.
    """

    def __init__(self, port):
        self.delay_s = 0.0
        self.refuse = 0
        self.refuse_every = 0
        self.connections = 0
        self.refused = 0
        self._to = port
        self._lock = threading.Lock()
        self._server = socket.create_server((LOOPBACK, 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        # Whoever waits for a caller in another thread would take one more.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self):
        while True:
            try:
                caller, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(caller,), daemon=True).start()

    def _connect(self, caller):
        with caller, contextlib.suppress(OSError):
            first = caller.recv(1 << 16)
            with self._lock:
                self.connections += 1
                refused = self.refuse > 0
                self.refuse -= refused
                refused |= self.refuse_every > 0 and self.connections % self.refuse_every == 0
                self.refused += refused
            if refused:
                caller.sendall(_REFUSAL % (len(_SLOW_DOWN), _SLOW_DOWN))
                return
            with socket.create_connection((LOOPBACK, self._to)) as server:
                server.sendall(first)
                threading.Thread(target=self._copy, args=(caller, server), daemon=True).start()
                self._copy(server, caller, self.delay_s)

    def _copy(self, source, target, delay_s=0.0):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if delay_s:
                    time.sleep(delay_s)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
