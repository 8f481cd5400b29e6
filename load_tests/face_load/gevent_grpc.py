"""gRPC and gevent in one process, so that a call that waits stops nobody else."""

import gevent
from grpc.experimental.gevent import init_gevent

MOST_IN_FLIGHT = 4000
"""Calls of one process that may wait at a time; each takes a thread meanwhile."""


def make_grpc_cooperative() -> None:
    """Call after locust is imported (it patches the standard library) and before gRPC makes its first object."""
    init_gevent()
    # gRPC waits in threads of gevent's pool. With the ten that it has by default the eleventh call in flight waits for
    # one of the others, for as long as that takes: an open loop would measure its own queue.
    gevent.get_hub().threadpool.maxsize = MOST_IN_FLIGHT
