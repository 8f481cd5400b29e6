"""Ray, on this machine for as long as a run lasts or on a cluster by its address, and who in it takes shards."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from face_batch.engines import Networks
from face_batch.errors import WorkFailed
from face_batch.node import SHARDS_AT_ONCE, NodeServer
from face_batch.working import Board, Work, do_shard
from face_server.invocation import MALLOC, OPENMP

# Ray's types do not know options beside a class.
_remote: Any = ray.remote
# Shards that wait for a worker, for each that is at work: so that none is idle, and a cluster that grows sees the need.
_QUEUED = 2
_CONNECT_S = 10
# A server answers what is in flight.
_CLOSE_S = 30


@contextmanager
def connected(address: str | None, workers: int | None) -> Iterator[None]:
    """Ray's cluster at the address, or one of this machine that ends with the block. workers: processes of it, at most.

    Raises WorkFailed where there is none.
    """
    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": "warning",
        # As in a server's processes, which do the same work.
        "runtime_env": {"env_vars": {**MALLOC, **OPENMP}},
    }
    if address is None:
        options |= {
            "address": "local",
            "num_cpus": workers or len(os.sched_getaffinity(0)),
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
        }
    else:
        _check_there(address)
        options["address"] = address
    try:
        ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f"Ray at {address}" if address else "Ray on this machine"
        raise WorkFailed(f"{where} does not start or answer: {' '.join(str(error).split())[:300]}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_there(address: str) -> None:
    """Ray itself asks for minutes whether somebody is there. Raises WorkFailed."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        # `auto`: Ray looks for one on this machine.
        return
    try:
        socket.create_connection((host, int(port)), _CONNECT_S).close()
    except OSError as error:
        raise WorkFailed(f"Ray at {address} does not answer: {error.strerror or error}") from error


def make_board() -> Any:
    """Where workers tell how far they are. It lies with the driver, whose end is the run's."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    return _remote(num_cpus=0)(Board).options(scheduling_strategy=here).remote()


class Hands(Protocol):
    """Who takes shards."""

    def free(self, taken: int) -> int:
        """How many more shards may be given while so many are taken."""

    def give(self, number: int) -> Any:
        """A reference that is ready when the shard is done; its value raises what went wrong."""

    def close(self) -> None:
        """Nothing more is given."""


class Tasks:
    """Tasks of one core each, on whatever nodes there are and come. workers: at most so many at a time."""

    def __init__(self, work: Work, networks: Networks, board: Any, workers: int | None) -> None:
        self._work, self._board, self._workers = work, board, workers
        # Once a node, not once a task.
        self._networks = ray.put(networks)
        # The driver tries again, and says so.
        self._task = _remote(num_cpus=1, max_retries=0)(do_shard)

    def free(self, taken: int) -> int:
        """See Hands."""
        cores = int(ray.cluster_resources().get("CPU", 0))
        return (self._workers or max(1, cores) * _QUEUED) - taken

    def give(self, number: int) -> Any:
        """See Hands."""
        return self._task.remote(self._work, self._networks, number, self._board)

    def close(self) -> None:
        """See Hands."""


class Servers:
    """A server on each node, also on those that come later; shards go to the one that has least to do."""

    def __init__(self, work: Work, networks: Networks, board: Any) -> None:
        self._work, self._board = work, board
        self._networks = ray.put(networks)
        self._servers: dict[str, Any] = {}
        self._at: dict[Any, str] = {}

    def free(self, taken: int) -> int:
        """See Hands."""
        alive = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
        for node, resources in alive.items():
            if node not in self._servers:
                self._servers[node] = self._start(node, resources)
        for node in self._servers.keys() - alive.keys():
            del self._servers[node]
        return SHARDS_AT_ONCE * len(self._servers) - taken

    def _start(self, node: str, resources: dict[str, float]) -> Any:
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        options = {
            "num_cpus": 0,
            "num_gpus": resources.get("GPU", 0),
            "max_concurrency": SHARDS_AT_ONCE,
            "max_restarts": -1,
        }
        server = _remote(**options)(NodeServer).options(scheduling_strategy=there)
        return server.remote(self._work, self._networks)

    def give(self, number: int) -> Any:
        """See Hands. Raises WorkFailed where there is no node."""
        if not self._servers:
            raise WorkFailed("the cluster has no node that is alive")
        pending, _ = ray.wait(list(self._at), num_returns=len(self._at), timeout=0) if self._at else ([], [])
        for reference in pending:
            del self._at[reference]
        loads = dict.fromkeys(self._servers, 0)
        for node in self._at.values():
            if node in loads:
                loads[node] += 1
        node = min(loads, key=lambda node: loads[node])
        reference = self._servers[node].do_shard.remote(number, self._board)
        self._at[reference] = node
        return reference

    def close(self) -> None:
        """See Hands."""
        closing = [server.close.remote() for server in self._servers.values()]
        # Those whose node is gone give no answer.
        if closing:
            ray.wait(closing, num_returns=len(closing), timeout=_CLOSE_S)
