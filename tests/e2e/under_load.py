"""Callers that ask without end, and what becomes of their requests."""

import threading
import time
from contextlib import contextmanager
from itertools import pairwise

from face_client import FaceError

# Leaves something of the processors to servers that start.
_PAUSE_SECONDS = 0.05


class Load:
    """Callers of one client, each in a thread. answers: how many faces each had."""

    def __init__(self, client, picture, callers):
        self.answers, self.errors, self._times = [], [], []
        self._client, self._picture = client, picture
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(callers)]

    def wait_for(self, count, seconds=120):
        """So many more answers."""
        until, give_up = len(self.answers) + count, time.monotonic() + seconds
        while len(self.answers) < until:
            assert time.monotonic() < give_up, f"{len(self.answers)} answers, errors: {self.errors}"
            time.sleep(0.01)

    @property
    def longest_gap(self):
        """The most seconds between two answers, whoever got them."""
        times = sorted(self._times)
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0)

    def _ask(self):
        while not self._stop.wait(_PAUSE_SECONDS):
            try:
                faces = self._client.detect(self._picture)
            except FaceError as error:
                self.errors.append(error)
            else:
                self.answers.append(len(faces))
                self._times.append(time.monotonic())

    @contextmanager
    def running(self):
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()


def under_load(client, picture, callers=4):
    """The load, in a `with` block, when it runs."""
    return Load(client, picture, callers).running()
