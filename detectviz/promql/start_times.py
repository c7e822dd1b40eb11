"""What samples say of the time since when they count (start timestamps)."""

from dataclasses import dataclass

import numpy as np

from detectviz.promql.vectors import BoolArray
from detectviz.promql.windows import Windows
from detectviz.tsdb.interface import Int64Array


@dataclass(frozen=True, slots=True)
class Origins:
    """Where counters began inside their windows: both [series, steps].

    ``times_ms`` means something only where ``known``: the first sample of the window counts
    since then, and since then only.
    """

    times_ms: Int64Array
    known: BoolArray


def origins(windows: Windows) -> Origins | None:
    """Return where counters began at zero; None if no sample says so.

    Semantics of Prometheus' ``extrapolatedRate`` with start timestamps.
    """
    starts = windows.start_times_ms
    if starts is None:
        return None
    times, first = starts[windows.first], windows.timestamps_ms[windows.first]
    inside = (times > windows.starts_ms) & (times < first)
    return Origins(times, (times != 0) & inside & (windows.counts > 0))


def restarted(windows: Windows) -> BoolArray | None:
    """Tell, for each sample but the first, whether it counts anew; None if nothing is known.

    A start at the very time of the sample before is one only if that sample's own start is
    known: such samples are deltas. Semantics of Prometheus' ``isStartTimestampReset``.
    """
    starts = windows.start_times_ms
    if starts is None:
        return None
    before, since = starts[:-1], starts[1:]
    previous, current = windows.timestamps_ms[:-1], windows.timestamps_ms[1:]
    is_delta = (since == previous) & (before != 0) & (before < previous)
    found: BoolArray = (since != 0) & (since < current) & ((since > previous) | is_delta)
    return found


def overlapping(windows: Windows) -> BoolArray:
    """Tell which series have a window where a sample counts from before the one before it."""
    starts = windows.start_times_ms
    if starts is None:
        return np.zeros(len(windows.offsets) - 1, dtype=np.bool_)
    before, since = starts[:-1], starts[1:]
    wrong = (since != 0) & (since < windows.timestamps_ms[:-1]) & (since != before)
    seen = np.zeros(len(starts), dtype=np.int64)
    np.cumsum(wrong, out=seen[1:])
    found: BoolArray = (seen[windows.last] > seen[windows.first]) & (windows.counts > 1)
    return np.asarray(found.any(axis=1), dtype=np.bool_)
