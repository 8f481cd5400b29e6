"""A run's counters, for Prometheus to read while it lasts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from face_batch.shards import Counts


class Metrics:
    """Served at http://HOST:port/metrics as long as the process lives. port 0: none are served."""

    def __init__(self, port: int, host: str) -> None:
        registry = CollectorRegistry()
        self._items = Counter("faces_batch_items", "Pictures and videos looked at by this run", registry=registry)
        self._faces = Counter("faces_batch_faces", "Faces found in them", registry=registry)
        self._failures = Counter(
            "faces_batch_failures", "Pictures and videos that could not be read", ["status"], registry=registry
        )
        self._shards = Gauge("faces_batch_shards", "Shards by what they are", ["state"], registry=registry)
        self._before = Counts()
        if port:
            start_http_server(port, host, registry)

    def show(self, counts: Counts, done: int, left: int) -> None:
        """What the run has come to: counts of all its shards, and how many of these are done and are left."""
        self._items.inc(max(0, counts.items - self._before.items))
        self._faces.inc(max(0, counts.faces - self._before.faces))
        for status, number in counts.failures.items():
            self._failures.labels(status).inc(max(0, number - self._before.failures[status]))
        self._before = Counts(counts.items, counts.faces, counts.failures.copy())
        self._shards.labels("done").set(done)
        self._shards.labels("left").set(left)
