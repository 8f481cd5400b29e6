"""The metrics of model `mtcnn`, beside Triton's own on its metrics port. docs/observability.md has them in a table."""

from face_cascade.networks import ONET, PNET, RNET
from face_server.runtime.families import Counter, Histogram
from face_server.runtime.record import OTHER, Record
from face_server.runtime.refusals import REASONS

_NETWORKS = tuple(network.name for network in (PNET, RNET, ONET))

STAGES = ("decode", "integral", "pnet", "nms", "rnet", "onet", OTHER, "answer")

# From a small image's stage on a GPU to the largest batch on two cores.
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_BATCH = (1, 2, 3, 4, 6, 8, 12, 16)
_FACES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """What this instance of `mtcnn` reports."""

    def __init__(self) -> None:
        self._stage = Histogram(
            "mtcnn_stage_seconds", "Seconds on the clock in each stage of an execution", _SECONDS, "stage", STAGES
        )
        self._batch = Histogram("mtcnn_batch_images", "Images searched for faces in one execution", _BATCH)
        self._faces = Histogram("mtcnn_image_faces", "Faces returned of one image", _FACES)
        self._work = Counter(
            "mtcnn_work_seconds_total", "Seconds inside each network, summed over threads", "work", _NETWORKS
        )
        self._rows = Counter(
            "mtcnn_rows_total", "Rows sent through each network: tiles, candidates, candidates", "network", _NETWORKS
        )
        self._candidates = Counter("mtcnn_candidates_total", "Boxes that each stage left", "stage", _NETWORKS)
        self._dropped = Counter("mtcnn_candidates_dropped_total", "Candidates beyond the limit of an image")
        self._refused = Counter("mtcnn_refused_requests_total", "Requests answered with an error", "reason", REASONS)

    def add(self, record: Record) -> None:
        """Adds one execution."""
        if record.images:
            for stage, seconds in record.stage_seconds.items():
                self._stage.observe(seconds, stage)
            self._batch.observe(record.images)
        for faces in record.faces:
            self._faces.observe(faces)
        for counter, values in (
            (self._work, record.work_seconds),
            (self._rows, record.rows),
            (self._candidates, record.candidates),
        ):
            for name, value in values.items():
                counter.add(value, name)
        self._dropped.add(record.dropped)

    def refuse(self, reason: str) -> None:
        """Counts one request that got an error."""
        self._refused.add(1, reason)
