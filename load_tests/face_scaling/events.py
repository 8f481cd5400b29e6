"""The events of face_scaling.queues as machine code (numba): a GPU service has over a hundred million requests a day.

All state is in arrays, which are handed on in tuples; `Queues` makes them and says what each is. Random numbers come in
streams of their own, so that the same day comes whatever the replicas do.
"""

import math
from typing import Any

import numpy as np
from numba import njit

DEADLINE_S = 30.0
"""FaceClient's default: who has waited so long has gone when an instance would take the request."""

LATE_S = 1.0
"""Answers after that are late."""

SLOTS = 32
"""Pods that there may be at once, those that end among them."""

RING = 1 << 16
"""Requests that may wait for a replica at all; a power of two."""

LEAST_S, STEP, BINS = 1e-3, 1.05, 240
"""Of histograms: where bin 0 ends, how much longer each is than the one before, how many there are."""

BURST = 10.0
"""Retries that a caller has at the start, and at most."""

# Of a batch's own time, either way: without any, instances would march in step.
_SPREAD = 0.25
_RETRIES, _EARNED = 2, 0.2
# Streams of random numbers, and splitmix64's constants (Steele, Lea, Flood, 2014).
_ARRIVALS, _CHOICES, _KINDS, _PACE = range(4)
_GOLDEN, _MIX_1, _MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@njit(cache=True)
def _uniform(states: Any, stream: int) -> float:
    """From 0 up to 1 (splitmix64): numba hands on an array in no time, unlike a Generator."""
    states[stream] += _GOLDEN
    mixed = states[stream]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return float((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / 2.0**53


@njit(cache=True)
def first(clock: Any, rates: Any, random: Any) -> None:
    """Sets the clock to the first arrival."""
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
def advance(
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
    budget[caller] = min(BURST, budget[caller] + _EARNED)
    refused = -1
    for attempt in range(1 + _RETRIES):
        slot = _choose(caller, refused, is_open, flight, asked)
        if slot < 0:
            break
        idle = _idle(slot, work)
        if idle >= 0 or length[slot] < bound:
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
    place = (head[slot] + length[slot]) % RING
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
        head[slot] = (place + 1) % RING
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
        ask(now, slot, int(answered), server, queue, work, flight, counts, histograms)


@njit(cache=True)
def ask(
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
    if seconds <= LEAST_S:
        return 0
    return min(BINS - 1, 1 + int(math.log(seconds / LEAST_S) / math.log(STEP)))


@njit(cache=True)
def drop(slot: int, queue: Any, work: Any, flight: Any, counts: Any) -> None:
    at, _, _, head, length = queue
    own_ends, left, _, batch_at, _, batch_size, busy, sharing, _, ends = work
    for n in range(length[slot]):
        counts[2, int(at[slot, (head[slot] + n) % RING] / 60)] += 1
    for instance in range(left.shape[1]):
        for n in range(batch_size[slot, instance]):
            counts[2, int(batch_at[slot, instance, n] / 60)] += 1
        own_ends[slot, instance] = left[slot, instance] = np.inf
        batch_size[slot, instance] = 0
    length[slot] = busy[slot] = sharing[slot] = 0
    ends[slot] = np.inf
    flight[:, slot] = 0
