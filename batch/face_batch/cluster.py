"""Ray, on this machine for as long as a run lasts or on a cluster by its address, and who in it takes shards."""

import signal
import socket
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import ray
import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from face_batch.engines import Networks
from face_batch.errors import WorkFailed
from face_batch.node import SHARDS_AT_ONCE, NodeServer
from face_batch.working import Board, Work, do_shard
from face_runtime.settings import cores
from face_server.ending import Workplace
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
    with ExitStack() as stack:
        if address is None:
            # Not Ray's usual place, where `auto` would find this cluster instead of that of the machine.
            place = Workplace.make()
            stack.callback(_remove, place)
            options |= {
                "address": "local",
                "num_cpus": workers or cores(),
                "include_dashboard": False,
                "_temp_dir": str(place.path),
            }
        else:
            _check_there(address)
            options["address"] = address
        stack.callback(ray.shutdown)
        # Ray takes this signal for itself, and would end without a word.
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(**options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            where = f"Ray at {address}" if address else "Ray on this machine"
            raise WorkFailed(f"{where} does not start or answer: {' '.join(str(error).split())[:300]}") from error
        finally:
            signal.signal(signal.SIGTERM, handler)
        yield


def _remove(place: Workplace) -> None:
    # Some of Ray's processes end a little later, and may still write their logs: the next start removes the rest.
    with suppress(OSError):
        place.remove()


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
    # What a process that was killed knew is told anew.
    options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1}
    return _remote(**options)(Board).options(scheduling_strategy=here).remote()


@dataclass(frozen=True)
class _Node:
    address: str
    cards: float


def _nodes(avoid: Collection[str] = ()) -> dict[str, _Node]:
    """Those that take work, by their id: a node without cores and cards takes none. Without those at the addresses to
    avoid, unless there are no others."""
    nodes = {
        node["NodeID"]: _Node(node["NodeManagerAddress"], node["Resources"].get("GPU", 0))
        for node in ray.nodes()
        if node["Alive"] and not node["Resources"].keys().isdisjoint(("CPU", "GPU"))
    }
    others = {name: node for name, node in nodes.items() if node.address not in avoid}
    return others or nodes


class Hands(Protocol):
    """Who takes shards."""

    def free(self, taken: int) -> int:
        """How many more shards may be given while so many are taken."""

    def give(self, number: int, avoid: Collection[str]) -> Any:
        """A reference that is ready when the shard is done; its value raises what went wrong.

        avoid: addresses of nodes that failed on it.
        """

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
        there = int(ray.cluster_resources().get("CPU", 0))
        return (self._workers or max(1, there) * _QUEUED) - taken

    def give(self, number: int, avoid: Collection[str]) -> Any:
        """See Hands."""
        task = self._task
        if avoid and (nodes := list(_nodes(avoid))):
            there = NodeAffinitySchedulingStrategy(nodes[number % len(nodes)], soft=True)
            task = task.options(scheduling_strategy=there)
        return task.remote(self._work, self._networks, number, self._board)

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
        done, _ = ray.wait(list(self._at), num_returns=len(self._at), timeout=0) if self._at else ([], [])
        for reference in done:
            name = self._at.pop(reference)
            if _is_of_dead(reference):
                self._servers.pop(name, None)
        nodes = _nodes()
        for name in self._servers.keys() - nodes.keys():
            del self._servers[name]
        for name in nodes.keys() - self._servers.keys():
            self._servers[name] = self._start(name, nodes[name])
        return SHARDS_AT_ONCE * len(self._servers) - taken

    def _start(self, name: str, node: _Node) -> Any:
        options = {
            "num_cpus": 0,
            "num_gpus": node.cards,
            # One more, to close it.
            "max_concurrency": SHARDS_AT_ONCE + 1,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(name, soft=False),
        }
        return _remote(**options)(NodeServer).remote(self._work, self._networks)

    def give(self, number: int, avoid: Collection[str]) -> Any:
        """See Hands."""
        load = Counter(self._at.values())
        # With servers that run, since `free`.
        names = _nodes(avoid).keys() & self._servers.keys() or self._servers.keys()
        name = min(names, key=lambda name: load[name])
        reference = self._servers[name].do_shard.remote(number, self._board)
        self._at[reference] = name
        return reference

    def close(self) -> None:
        """See Hands."""
        closing = [server.close.remote() for server in self._servers.values()]
        # Those whose node is gone give no answer.
        if closing:
            ray.wait(closing, num_returns=len(closing), timeout=_CLOSE_S)


def _is_of_dead(reference: Any) -> bool:
    """Whether this is no answer, since the actor that was to give it is no more."""
    try:
        ray.get(reference)
    except ray.exceptions.RayActorError:
        return True
    except ray.exceptions.RayError:
        return False
    return False
