"""Users over time, as `--stages` has them."""

from collections.abc import Sequence

from locust import LoadTestShape

from face_load.stages import Stage, users_at

# As fast as locust can: a stage is its own ramp.
_SPAWN_RATE = 1000.0


class Staged(LoadTestShape):
    """Ends the run when the stages are over."""

    # So that locust does not take it by itself from a file that imports it: it is for runs with --stages alone.
    abstract = True

    def __init__(self, stages: Sequence[Stage]) -> None:
        super().__init__()
        self._stages = stages

    def tick(self) -> tuple[int, float] | None:
        users = users_at(self._stages, self.get_run_time())
        return None if users is None else (users, _SPAWN_RATE)
