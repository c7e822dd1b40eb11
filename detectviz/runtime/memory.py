"""Keep the allocator of a process with many threads small."""

import ctypes
import sys
from functools import cache
from typing import Any

_M_ARENA_MAX = -8  # glibc's malloc.h
_ARENAS = 1


def arenas_limit() -> None:
    """Let glibc use one arena instead of eight per core; call it before any thread starts.

    Threads of ours share one interpreter lock and hardly allocate at the same time; arenas of
    their own only keep freed memory from the system. Forks inherit the limit.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_M_ARENA_MAX, _ARENAS)


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
