"""What one execution of the cascade did. Whoever reports it (metrics, log, spans) reads it from here."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

from face_cascade import Call, Detection, Flow, Together, TooManyCandidates
from face_cascade.calls import Outputs
from face_runtime.spans import OTHER, Stages

T = TypeVar("T")


class Record(Stages):
    """Counts and times of one execution.

    work_seconds: inside each network, summed over threads. rows: sent through each network. candidates: boxes that each
    stage left. faces: of each image. dropped: candidates beyond what callers allowed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.work_seconds: dict[str, float] = defaultdict(float)
        self.rows: dict[str, int] = defaultdict(int)
        self.candidates: dict[str, int] = defaultdict(int)
        self.faces: list[int] = []
        self.dropped = 0
        self._lock = threading.Lock()

    @property
    def images(self) -> int:
        return len(self.faces)

    @property
    def timing(self) -> dict[str, float]:
        """For a caller: seconds by stage, rounded to microseconds, and how many images shared them."""
        seconds = {name: round(value, 6) for name, value in self.stage_seconds.items()}
        return {**seconds, "images": self.images}

    def stages(self, flow: Flow[T]) -> Flow[T]:
        """The flow itself, its stages timed; what it computes between them counts as `other`."""
        with self.stage(OTHER):
            step: Call | Together | None = next(flow, None)
        while step is not None:
            assert isinstance(step, Together)
            with self.stage(step.stage):
                result = yield step
            try:
                with self.stage(OTHER):
                    step = flow.send(result)
            except StopIteration as end:
                value: T = end.value
                return value
        raise RuntimeError("the cascade has at least one stage")

    def calls(self, run: Callable[[Call], Outputs]) -> Callable[[Call], Outputs]:
        """`run`, counted; called from many threads."""

        def counted(call: Call) -> Outputs:
            start = time.perf_counter()
            outputs = run(call)
            seconds = time.perf_counter() - start
            with self._lock:
                self.work_seconds[call.network.name] += seconds
                self.rows[call.network.name] += len(call.batch)
            return outputs

        return counted

    def found(self, detections: Sequence[Detection | TooManyCandidates]) -> None:
        """Counts what the cascade found, one detection an image."""
        for detection in detections:
            if isinstance(detection, TooManyCandidates):
                continue
            self.faces.append(len(detection.boxes))
            self.dropped += detection.candidates_dropped
            for stage, count in detection.stage_counts.items():
                self.candidates[stage] += count
