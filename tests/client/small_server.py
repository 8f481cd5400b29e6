"""A gRPC server that speaks Triton's protocol and finds as many faces as a picture has rows.

Run as a module it is a process of its own, to be killed, and prints its address.
"""

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

_QUEUE_IS_FULL = "Exceeds maximum queue size"


def answer(request, count):
    """Of pixels, or of a file with a picture of 20x5 pixels."""
    height, width = request.inputs[0].shape[1:3] if len(request.inputs[0].shape) == 4 else (5, 20)
    response = service_pb2.ModelInferResponse(model_name=request.model_name, id=request.id)
    for name, array, datatype in (
        ("boxes", np.ones((1, count, 4), np.float32), "FP32"),
        ("probabilities", np.ones((1, count), np.float32), "FP32"),
        ("landmarks", np.ones((1, count, 5, 2), np.float32), "FP32"),
        ("num_faces", np.array([[count]], np.int32), "INT32"),
        ("candidates_dropped", np.array([[0]], np.int32), "INT32"),
        ("picture_size", np.array([[width, height]], np.int32), "INT32"),
    ):
        response.outputs.add(name=name, datatype=datatype, shape=array.shape)
        response.raw_output_contents.append(array.tobytes())
    return response


def start_server(servicer, address="127.0.0.1:0", workers=8, options=()):
    """(server, port) of a servicer, in this process."""
    server = grpc.server(ThreadPoolExecutor(workers), options=options)
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port(address)
    server.start()
    return server, port


class SmallServer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Refuses pictures of 13 rows, has the models in `models`, and is loading those in `loading`.

    May be stopped and started again, on the same port.

    mode: "answer", after `seconds`; "refuse", as with a full queue; "cancel", as in a server's last moment; or "hang".
    """

    def __init__(self, port=0):
        self.mode, self.seconds = "answer", 0.005
        self.models = {"mtcnn"}
        self.loading = set()
        self.calls = self.probes = 0
        self._lock, self._let_go = threading.Lock(), threading.Event()
        self._port = port
        self.start()

    @property
    def url(self):
        return f"127.0.0.1:{self._port}"

    def start(self):
        self._server, self._port = start_server(self, self.url, workers=32)

    def stop(self):
        self._let_go.set()
        self._server.stop(0).wait()

    def ModelReady(self, request, _context):  # noqa: N802 the protocol's
        self._count("probes")
        return service_pb2.ModelReadyResponse(ready=request.name in self.models)

    def ModelInfer(self, request, context):  # noqa: N802 the protocol's
        self._count("calls")
        if request.model_name in self.loading:
            words = f"Request for unknown model: '{request.model_name}' has no available versions"
            context.abort(grpc.StatusCode.UNAVAILABLE, words)
        if request.model_name not in self.models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{request.model_name}' is not found")
        rows = request.inputs[0].shape[1]
        if rows == 13:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "13 rows are unlucky")
        if self.mode == "refuse":
            context.abort(grpc.StatusCode.UNAVAILABLE, _QUEUE_IS_FULL)
        if self.mode == "cancel":
            context.abort(grpc.StatusCode.CANCELLED, "the server gives its calls up")
        if self.mode == "hang":
            self._let_go.wait(60)
        time.sleep(self.seconds)
        return answer(request, rows)

    def _count(self, what):
        with self._lock:
            setattr(self, what, getattr(self, what) + 1)


@contextmanager
def server_process():
    """(process, url) of a SmallServer to kill."""
    command = [sys.executable, "-m", "tests.client.small_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def free_url():
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"


if __name__ == "__main__":
    print(SmallServer().url, flush=True)
    threading.Event().wait()
