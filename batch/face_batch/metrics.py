"""A run's counters, for Prometheus to read while it lasts."""

from collections import Counter as Numbers

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from face_batch.errors import BatchError
from face_batch.shards import Counts


class Metrics:
    """Served at http://HOST:port/metrics as long as the process lives. port 0: none are served.

    Raises BatchError where it cannot listen there.
    """

    def __init__(self, port: int, host: str) -> None:
        registry = CollectorRegistry()
        self._items = Counter("faces_batch_items", "Pictures and videos looked at by this run", registry=registry)
        self._faces = Counter("faces_batch_faces", "Faces found in them", registry=registry)
        self._failures = Counter(
            "faces_batch_failures", "Pictures and videos that could not be read", ["status"], registry=registry
        )
        self._shards = Gauge("faces_batch_shards", "Shards by what they are", ["state"], registry=registry)
        self._shown: Numbers[Counter] = Numbers()
        if port:
            try:
                start_http_server(port, host, registry)
            except OSError as error:
                raise BatchError(f"--metrics-port: cannot listen on {host}:{port}: {error.strerror}") from error

    def show(self, counts: Counts, done: int, left: int) -> None:
        """What the run has come to: counts of all its shards, and how many of these are done and are left."""
        self._raise(self._items, counts.items)
        self._raise(self._faces, counts.faces)
        for status, number in counts.failures.items():
            self._raise(self._failures.labels(status), number)
        self._shards.labels("done").set(done)
        self._shards.labels("left").set(left)

    def _raise(self, counter: Counter, number: int) -> None:
        # Of a shard that is looked at again, what was counted before is not counted once more.
        more = number - self._shown[counter]
        if more > 0:
            counter.inc(more)
            self._shown[counter] = number
