"""When requests are due in an open loop, whatever becomes of the ones before them.

A closed loop asks less of a server that is slow, and so never sees what callers who come regardless would see
("coordinated omission", G. Tene, How NOT to Measure Latency, 2013). Latency counts from when a request was due.
"""

from collections.abc import Iterator
from random import Random

POISSON = "poisson"
CONSTANT = "constant"
KINDS = (POISSON, CONSTANT)


def arrivals(rate: float, kind: str, random: Random) -> Iterator[float]:
    """Seconds from the start to each request, without end.

    Poisson: gaps of exponential distribution, as independent callers make them. Streams of rates a and b together are
    one of rate a + b. Constant: equal gaps; the first one is cut short at random, so that streams do not march in step.
    """
    if not rate > 0:
        raise ValueError(f"rate is {rate}, must be over 0 requests a second")
    if kind not in KINDS:
        raise ValueError(f"arrivals are {kind!r}, must be one of {', '.join(KINDS)}")
    at = random.expovariate(rate) if kind == POISSON else random.random() / rate
    while True:
        yield at
        at += random.expovariate(rate) if kind == POISSON else 1 / rate
