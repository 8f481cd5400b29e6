"""Replicas at work, request by request: queues, batches and callers as a discrete-event simulation.

A replica is a queue and some instances. An idle instance takes what waits, at most a batch, works, and answers all of
the batch at its end. A batch takes first time of its own, whatever the others do, then some of what instances share, a
GPU or the processors: those who are there at once advance equally, and together as fast as one. Callers choose as
FaceClient does: the open replica with the fewest of their own requests in flight, of equals the one asked longest ago.

The events themselves are in face_scaling.events.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_scaling import events
from face_scaling.events import BINS, BURST, LEAST_S, RING, SLOTS, STEP
from face_scaling.server import Server


@dataclass(frozen=True)
class Counts:
    """Of each minute: requests due, answered, refused, given up after DEADLINE_S, answered late; histograms of waits in
    the queue and of times to the answer [minutes, bins]."""

    due: NDArray[np.int64]
    answered: NDArray[np.int64]
    refused: NDArray[np.int64]
    gave_up: NDArray[np.int64]
    late: NDArray[np.int64]
    waits: NDArray[np.int64]
    latencies: NDArray[np.int64]


def percentile(histogram: NDArray[np.int64], share: float) -> float:
    """Seconds that so large a share of a histogram's requests stayed within: to 5 %; NaN where it is empty."""
    total = histogram.sum()
    if not total:
        return math.nan
    found = int(np.searchsorted(np.cumsum(histogram), share * total))
    return 0.0 if found == 0 else LEAST_S * STEP**found


class Queues:
    """Replicas in slots, opened and closed from outside, and a clock that `advance` moves.

    rates: requests a second, for every second from 0 on. callers: clients among whom requests are divided by chance.
    retries: whether a refused request is sent to another replica at once, within FaceClient's budget. closed: whether
    each answer is followed by another request to the same replica (`fill` begins).
    """

    def __init__(
        self,
        server: Server,
        rates: NDArray[np.float64],
        *,
        callers: int = 8,
        retries: bool = False,
        closed: bool = False,
        seed: int = 1,
    ) -> None:
        minutes = -(-len(rates) // 60) + 1
        self._random = np.random.default_rng(seed).integers(2**63, size=4).astype(np.uint64)
        self._server = (
            server.batch,
            RING if server.queue is None else server.queue,
            np.array(server.own_s),
            np.array(server.shared_s),
            np.array(server.forms),
            np.array(server.batch_s),
            retries,
            closed,
            self._random,
        )
        self._rates = rates
        # Now, the next arrival, and how many slots were ever open.
        self._clock = np.array([0.0, 0.0, 1.0])
        self._queue = (
            np.zeros((SLOTS, RING)),
            np.zeros((SLOTS, RING), np.int16),
            np.zeros((SLOTS, RING), np.int16),
            np.zeros(SLOTS, np.int64),
            np.zeros(SLOTS, np.int64),
        )
        shape = SLOTS, server.instances
        self._work = (
            # When the time of its own ends, what is left of the shared, what of that it begins with.
            np.full(shape, np.inf),
            np.full(shape, np.inf),
            np.zeros(shape),
            # Its batch: when each request was due, its caller, how many.
            np.zeros((*shape, server.batch)),
            np.zeros((*shape, server.batch), np.int16),
            np.zeros(shape, np.int64),
            # Of the replica: busy instances, those that share, when they were last looked at, the next end.
            np.zeros(SLOTS, np.int64),
            np.zeros(SLOTS, np.int64),
            np.zeros(SLOTS),
            np.full(SLOTS, np.inf),
        )
        self._open = np.zeros(SLOTS, np.bool_)
        self._flight = np.zeros((callers, SLOTS), np.int64)
        # What each has left for retries, and in which turn it asked each replica last.
        self._memory = np.full(callers, BURST), np.zeros((callers, SLOTS), np.int64)
        self._counts = np.zeros((5, minutes), np.int64)
        self._histograms = np.zeros((2, minutes, BINS), np.int64)
        events.first(self._clock, rates, self._random)

    def open(self, slot: int) -> None:
        """Callers may choose it from now on."""
        self._open[slot] = True
        self._clock[2] = max(self._clock[2], slot + 1)

    def close(self, slot: int) -> None:
        """No caller chooses it any more; what it has accepted it answers."""
        self._open[slot] = False

    def fill(self, slot: int, requests: int) -> None:
        """So many callers of a closed loop ask a replica."""
        events.ask(
            self._clock[0], slot, requests, self._server, self._queue, self._work, self._flight, self._counts,
            self._histograms,
        )  # fmt: skip

    def advance(self, until: float) -> None:
        events.advance(
            until, self._clock, self._rates, self._random, self._server, self._queue, self._work, self._open,
            self._flight, self._memory, self._counts, self._histograms,
        )  # fmt: skip

    def waiting(self, slot: int) -> int:
        """Requests in a replica's queue: what Triton calls pending."""
        return int(self._queue[4][slot])

    def at_work(self, slot: int) -> int:
        """Its busy instances."""
        return int(self._work[6][slot])

    def drop(self, slot: int) -> None:
        """The replica has ended: whoever still waits for it is refused."""
        events.drop(slot, self._queue, self._work, self._flight, self._counts)

    @property
    def counts(self) -> Counts:
        return Counts(*self._counts, *self._histograms)
