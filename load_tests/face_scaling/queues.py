"""Replicas at work, request by request: queues, batches and callers as a discrete-event simulation.

A day of a GPU service is a hundred million requests, so the events are machine code (numba) over plain arrays; a slow
simulation with objects, in the tests, says what they must do.

A replica is a queue and some instances. An idle instance takes what waits, at most a batch, works, and answers all of
the batch at its end. A batch takes first time of its own, whatever the others do, then some of what instances share, a
GPU or the processors: those who are there at once advance equally, and together as fast as one. Callers choose as
FaceClient does: the open replica with the fewest of their own requests in flight, of equals the one asked longest ago.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from face_scaling.server import Server

DEADLINE_S = 30.0
"""FaceClient's default: who has waited so long has gone when an instance would take the request."""

LATE_S = 1.0
"""Answers after that are late."""

SLOTS = 32
"""Pods that there may be at once, those that end among them."""

_RING = 1 << 16
_LEAST_S, _STEP, _BINS = 1e-3, 1.05, 240
# Of a batch's own time, either way: without any, instances would march in step.
_SPREAD = 0.25
_RETRIES, _EARNED, _BURST = 2, 0.2, 10.0
_NEVER = np.inf
# Streams of random numbers, and splitmix64's constants (Steele, Lea, Flood, 2014).
_ARRIVALS, _CHOICES, _KINDS, _PACE = range(4)
_GOLDEN, _MIX_1, _MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


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
    return 0.0 if found == 0 else _LEAST_S * _STEP**found


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
        # Streams of their own, so that the same day comes whatever the replicas do.
        self._random = np.random.default_rng(seed).integers(2**63, size=4).astype(np.uint64)
        self._server = (
            server.batch,
            -1 if server.queue is None else server.queue,
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
            np.zeros((SLOTS, _RING)),
            np.zeros((SLOTS, _RING), np.int16),
            np.zeros((SLOTS, _RING), np.int16),
            np.zeros(SLOTS, np.int64),
            np.zeros(SLOTS, np.int64),
        )
        shape = SLOTS, server.instances
        self._work = (
            # When the time of its own ends, what is left of the shared, what of that it begins with.
            np.full(shape, _NEVER),
            np.full(shape, _NEVER),
            np.zeros(shape),
            # Its batch: when each request was due, its caller, how many.
            np.zeros((*shape, server.batch)),
            np.zeros((*shape, server.batch), np.int16),
            np.zeros(shape, np.int64),
            # Of the replica: busy instances, those that share, when they were last looked at, the next end.
            np.zeros(SLOTS, np.int64),
            np.zeros(SLOTS, np.int64),
            np.zeros(SLOTS),
            np.full(SLOTS, _NEVER),
        )
        self._open = np.zeros(SLOTS, np.bool_)
        self._flight = np.zeros((callers, SLOTS), np.int64)
        # What each has left for retries, and in which turn it asked each replica last.
        self._memory = np.full(callers, _BURST), np.zeros((callers, SLOTS), np.int64)
        self._counts = np.zeros((5, minutes), np.int64)
        self._histograms = np.zeros((2, minutes, _BINS), np.int64)
        _first(self._clock, rates, self._random)

    def open(self, slot: int) -> None:
        """Callers may choose it from now on."""
        self._open[slot] = True
        self._clock[2] = max(self._clock[2], slot + 1)

    def close(self, slot: int) -> None:
        """No caller chooses it any more; what it has accepted it answers."""
        self._open[slot] = False

    def fill(self, slot: int, requests: int) -> None:
        """So many callers of a closed loop ask a replica."""
        _ask(
            self._clock[0], slot, requests, self._server, self._queue, self._work, self._flight, self._counts,
            self._histograms,
        )  # fmt: skip

    def advance(self, until: float) -> None:
        _advance(
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
        _drop(slot, self._queue, self._work, self._flight, self._counts)

    @property
    def counts(self) -> Counts:
        return Counts(*self._counts, *self._histograms)


@njit(cache=True)
def _uniform(states: Any, stream: int) -> float:
    """From 0 up to 1 (splitmix64): numba hands on an array in no time, unlike a Generator."""
    states[stream] += _GOLDEN
    mixed = states[stream]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return float((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / 2.0**53


@njit(cache=True)
def _first(clock: Any, rates: Any, random: Any) -> None:
    clock[1] = _next_arrival(0.0, rates, random)


@njit(cache=True)
def _next_arrival(now: float, rates: Any, random: Any) -> float:
    """A Poisson process whose rate changes every second."""
    left = -math.log(1 - _uniform(random, _ARRIVALS))
    second = int(now)
    while second < len(rates):
        share = (second + 1 - now) * rates[second]
        if left < share:
            return now + left / rates[second]
        left -= share
        second += 1
        now = float(second)
    return np.inf


@njit(cache=True)
def _advance(
    until: float, clock: Any, rates: Any, random: Any, server: Any, queue: Any, work: Any, is_open: Any, flight: Any,
    memory: Any, counts: Any, histograms: Any,
) -> None:  # fmt: skip
    top = int(clock[2])
    ends, is_open = work[9][:top], is_open[:top]
    while True:
        slot = int(np.argmin(ends))
        now = min(clock[1], ends[slot])
        if now >= until:
            break
        if clock[1] <= ends[slot]:
            caller = int(_uniform(random, _CHOICES) * len(flight))
            kind = int(_uniform(server[8], _KINDS) * len(server[2]))
            counts[0, int(now / 60)] += 1
            _arrive(now, caller, kind, server, queue, work, is_open, flight, memory, counts, histograms)
            clock[1] = _next_arrival(now, rates, random)
        else:
            _finish(now, slot, server, queue, work, flight, counts, histograms)
    clock[0] = until


@njit(cache=True)
def _arrive(
    now: float, caller: int, kind: int, server: Any, queue: Any, work: Any, is_open: Any, flight: Any,
    memory: Any, counts: Any, histograms: Any,
) -> None:  # fmt: skip
    bound, retries = server[1], server[6]
    length = queue[4]
    budget, asked = memory
    budget[caller] = min(_BURST, budget[caller] + _EARNED)
    refused = -1
    for attempt in range(1 + _RETRIES):
        slot = _choose(caller, refused, is_open, flight, asked)
        if slot < 0:
            break
        idle = _idle(slot, work)
        if idle >= 0 or bound < 0 or length[slot] < bound:
            _push(now, slot, caller, kind, queue, flight)
            if idle >= 0:
                _progress(now, slot, work)
                _start(now, slot, idle, server, queue, work, flight, counts, histograms)
                _foresee(now, slot, work)
            return
        if not retries or attempt == _RETRIES or budget[caller] < 1:
            break
        budget[caller] -= 1
        refused = slot
    counts[2, int(now / 60)] += 1


@njit(cache=True)
def _push(now: float, slot: int, caller: int, kind: int, queue: Any, flight: Any) -> None:
    at, kinds, callers, head, length = queue
    place = (head[slot] + length[slot]) % _RING
    at[slot, place], kinds[slot, place], callers[slot, place] = now, kind, caller
    length[slot] += 1
    flight[caller, slot] += 1


@njit(cache=True)
def _choose(caller: int, refused: int, is_open: Any, flight: Any, asked: Any) -> int:
    """The open slot with the fewest of the caller's requests, of equals the one asked longest ago, not the one that
    refused; -1 where there is none."""
    best = -1
    for slot in range(len(is_open)):
        if not is_open[slot] or slot == refused:
            continue
        have, least = flight[caller, slot], flight[caller, best]
        if best < 0 or have < least or (have == least and asked[caller, slot] < asked[caller, best]):
            best = slot
    if best >= 0:
        asked[caller, best] = asked[caller].max() + 1
    return best


@njit(cache=True)
def _idle(slot: int, work: Any) -> int:
    sizes = work[5]
    if work[6][slot] < sizes.shape[1]:
        for instance in range(sizes.shape[1]):
            if sizes[slot, instance] == 0:
                return instance
    return -1


@njit(cache=True)
def _progress(now: float, slot: int, work: Any) -> None:
    """What those who share have done since they were last looked at."""
    left, sharing, seen = work[1], work[7], work[8]
    if sharing[slot]:
        done = (now - seen[slot]) / sharing[slot]
        for instance in range(left.shape[1]):
            left[slot, instance] -= done
    seen[slot] = now


@njit(cache=True)
def _foresee(now: float, slot: int, work: Any) -> None:
    own_ends, left, sharing, ends = work[0], work[1], work[7], work[9]
    end = own_ends[slot].min()
    if sharing[slot]:
        end = min(end, now + max(0.0, left[slot].min()) * sharing[slot])
    ends[slot] = end


@njit(cache=True)
def _start(
    now: float, slot: int, instance: int, server: Any, queue: Any, work: Any, flight: Any, counts: Any, histograms: Any
) -> None:
    """An idle instance takes a batch of what waits, if there is anything: Triton puts no two forms into one."""
    batch, own_s, shared_s, forms, batch_s = server[0], server[2], server[3], server[4], server[5]
    at, kinds, callers, head, length = queue
    own_ends, _, shares, batch_at, batch_callers, batch_size, busy, _, _, _ = work
    own, shared = batch_s
    taken, form = 0, -1
    while length[slot] > 0 and taken < batch:
        place = head[slot]
        kind = kinds[slot, place]
        if taken and forms[kind] != form:
            break
        head[slot] = (place + 1) % _RING
        length[slot] -= 1
        due = at[slot, place]
        if now - due > DEADLINE_S:
            flight[callers[slot, place], slot] -= 1
            counts[3, int(due / 60)] += 1
            continue
        histograms[0, int(due / 60), _bin(now - due)] += 1
        batch_at[slot, instance, taken], batch_callers[slot, instance, taken] = due, callers[slot, place]
        form = forms[kind]
        own += own_s[kind]
        shared += shared_s[kind]
        taken += 1
    if taken:
        batch_size[slot, instance] = taken
        own_ends[slot, instance] = now + own * (1 + _SPREAD * (2 * _uniform(server[8], _PACE) - 1))
        shares[slot, instance] = shared
        busy[slot] += 1


@njit(cache=True)
def _finish(
    now: float, slot: int, server: Any, queue: Any, work: Any, flight: Any, counts: Any, histograms: Any
) -> None:
    """The instance that is first comes to what is shared; or it answers its batch and takes the next."""
    _progress(now, slot, work)
    own_ends, left, shares, batch_at, batch_callers, batch_size, busy, sharing, _, _ = work
    instance = int(np.argmin(own_ends[slot]))
    if own_ends[slot, instance] <= now:
        own_ends[slot, instance] = np.inf
        left[slot, instance] = shares[slot, instance]
        sharing[slot] += 1
        _foresee(now, slot, work)
        return
    instance = int(np.argmin(left[slot]))
    for n in range(batch_size[slot, instance]):
        due = batch_at[slot, instance, n]
        flight[batch_callers[slot, instance, n], slot] -= 1
        minute = int(due / 60)
        counts[1, minute] += 1
        counts[4, minute] += now - due > LATE_S
        histograms[1, minute, _bin(now - due)] += 1
    left[slot, instance] = np.inf
    answered, batch_size[slot, instance] = batch_size[slot, instance], 0
    busy[slot] -= 1
    sharing[slot] -= 1
    _start(now, slot, instance, server, queue, work, flight, counts, histograms)
    _foresee(now, slot, work)
    if server[7]:
        _ask(now, slot, int(answered), server, queue, work, flight, counts, histograms)


@njit(cache=True)
def _ask(
    now: float, slot: int, requests: int, server: Any, queue: Any, work: Any, flight: Any, counts: Any,
    histograms: Any,
) -> None:  # fmt: skip
    """So many requests of a closed loop, one after the other."""
    for _ in range(requests):
        _push(now, slot, 0, int(_uniform(server[8], _KINDS) * len(server[2])), queue, flight)
        idle = _idle(slot, work)
        if idle >= 0:
            _progress(now, slot, work)
            _start(now, slot, idle, server, queue, work, flight, counts, histograms)
            _foresee(now, slot, work)


@njit(cache=True)
def _bin(seconds: float) -> int:
    """Logarithmic: 0 up to a millisecond."""
    if seconds <= _LEAST_S:
        return 0
    return min(_BINS - 1, 1 + int(math.log(seconds / _LEAST_S) / math.log(_STEP)))


@njit(cache=True)
def _drop(slot: int, queue: Any, work: Any, flight: Any, counts: Any) -> None:
    at, _, _, head, length = queue
    own_ends, left, _, batch_at, _, batch_size, busy, sharing, _, ends = work
    for n in range(length[slot]):
        counts[2, int(at[slot, (head[slot] + n) % _RING] / 60)] += 1
    for instance in range(left.shape[1]):
        for n in range(batch_size[slot, instance]):
            counts[2, int(batch_at[slot, instance, n] / 60)] += 1
        own_ends[slot, instance] = left[slot, instance] = np.inf
        batch_size[slot, instance] = 0
    length[slot] = busy[slot] = sharing[slot] = 0
    ends[slot] = np.inf
    flight[:, slot] = 0
