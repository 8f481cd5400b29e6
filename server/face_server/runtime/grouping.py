"""How much of a batch goes through the cascade at a time."""

from collections.abc import Iterator, Sequence


def pixel_groups(pixels: Sequence[int], most: int) -> Iterator[slice]:
    """Cuts a batch of requests of so many pixels each into runs of at most `most` pixels, or of one request.

    All at once, the integral images of a batch of the largest images would take 10 GB.
    """
    start = total = 0
    for n, size in enumerate(pixels):
        if n > start and total + size > most:
            yield slice(start, n)
            start, total = n, 0
        total += size
    if start < len(pixels):
        yield slice(start, len(pixels))
