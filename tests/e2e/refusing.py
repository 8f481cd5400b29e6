"""A gRPC server in front of Triton that refuses the first calls, as Triton does when its queue is full."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc

_ANY_SIZE = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class Refusing(grpc.GenericRpcHandler):
    """Hands calls on as bytes, whatever they are. deadlines: seconds that each call had left, refused ones too."""

    def __init__(self, triton, refusals):
        self.deadlines = []
        self._triton = triton
        self._refusals = refusals

    def service(self, details):
        def answer(request, context):
            self.deadlines.append(context.time_remaining())
            if len(self.deadlines) <= self._refusals:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the queue is full")
            return self._triton.unary_unary(details.method)(request)

        return grpc.unary_unary_rpc_method_handler(answer)


@contextmanager
def refusing_server(grpc_url, refusals):
    """The handler, and the address that it listens at."""
    with grpc.insecure_channel(grpc_url, _ANY_SIZE) as triton:
        handler = Refusing(triton, refusals)
        server = grpc.server(ThreadPoolExecutor(2), [handler], options=_ANY_SIZE)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield handler, f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()
