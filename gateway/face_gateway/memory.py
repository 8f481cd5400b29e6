"""How glibc keeps this process's memory."""

from __future__ import annotations

import ctypes

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3

_LARGE = 4 * 2**20


def keep_memory() -> None:
    """Keep blocks that a photo's file fits into, 16 MiB in all, where each would be given back to the system.

    A body passes through half a dozen of them on its way, and with glibc's defaults every one is mapped anew, page by
    page: a fifth of the processor time of a request. Larger ones are still given back. Nothing with another C library.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, _LARGE)
    mallopt(_TRIM_THRESHOLD, 4 * _LARGE)
