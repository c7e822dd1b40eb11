"""Keep the allocator of a process with many threads small, and quick for arrays."""

import ctypes
import sys
from functools import cache
from typing import Any

_M_ARENA_MAX = -8  # glibc's malloc.h
_ARENAS = 1
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_KEPT_BYTES = 64 << 20
_PAD_BYTES = 4 << 20
_LARGE_BYTES = 32 << 20  # the most that glibc takes


def arenas_limit() -> None:
    """Let glibc use one arena instead of eight per core; call it before any thread starts.

    Threads of ours share one interpreter lock and hardly allocate at the same time; arenas of
    their own only keep freed memory from the system. Forks inherit the limit.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_M_ARENA_MAX, _ARENAS)


def arrays_kept() -> None:
    """Keep what arrays leave free, up to 64 MiB, for the next; call it in processes that query.

    Otherwise each temporary of a query is new memory, whose pages the system clears first: that
    costs more than many a computation. What is larger than 32 MiB is still given back at once.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_TOP_PAD, _PAD_BYTES)


def freed_return() -> None:
    """Give the system back what is free now."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> Any | None:
    """Return the C library where it is glibc."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
