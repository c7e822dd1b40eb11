"""What the allocator is told."""

import resource
import sys

import numpy as np
import pytest

from detectviz.runtime.memory import arrays_kept

_CELLS = 1_000_000
_ROUNDS = 10
_PAGE_BYTES = resource.getpagesize()


@pytest.mark.skipif(sys.platform != "linux", reason="speaks of glibc")
def test_arrays_of_a_query_reuse_the_memory_of_those_before() -> None:
    arrays_kept()
    np.ones(_CELLS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(_ROUNDS):
        np.ones(_CELLS)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < _ROUNDS * _CELLS * 8 / _PAGE_BYTES / 2
