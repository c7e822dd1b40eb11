"""Instant vectors on the line between two samples: selectors marked ``smoothed``.

Semantics of Prometheus' ``smoothSeries``: staleness markers are passed over, the last sample
before a step stands where none follows within the lookback, and there is no result where none
comes before.
"""

from collections.abc import Callable

import numpy as np

from detectviz.promql.extended_histograms import interpolated
from detectviz.promql.histograms.arithmetic import IncompatibleSchemasError
from detectviz.promql.native_remarks import NativeRemarks
from detectviz.promql.vectors import BoolArray, RangeVector, StepVector, no_histograms
from detectviz.promql.windows import Computed, RangeSamples, Windows, upper_bounds
from detectviz.tsdb.histograms import CounterReset, Histogram
from detectviz.tsdb.interface import METRIC_NAME, Int64Array


def smoothed_vector(
    ranges: RangeVector, remarks: NativeRemarks, check: Callable[[], None]
) -> StepVector:
    """Interpolate series whose windows reach one lookback to both sides of each step."""
    samples = ranges.samples
    values, present = samples.floats().compute(_floats, check)
    vector = StepVector(
        labels=ranges.labels, values=values, present=present, drop_name=ranges.drop_name
    )
    natives = samples.natives()
    if natives is None:
        return vector.trimmed()
    held = [one.compute(_any, check)[1] for one in (samples.floats(), natives)]
    mixed = held[0] & held[1]
    for row in np.flatnonzero(mixed.any(axis=1)).tolist():
        remarks.mixed_range(ranges.labels[row].get(METRIC_NAME, ""))
    windows = natives.whole()
    places, following, known = _neighbours(windows)
    out = no_histograms(values.shape)
    for row, step in zip(*np.nonzero(known & ~mixed), strict=True):
        check()
        pair = int(places[row, step]), int(following[row, step])
        name = ranges.labels[row].get(METRIC_NAME, "")
        out[row, step] = _between(natives, pair, int(windows.ends_ms[step]), name, remarks)
    native = out.astype(np.bool_)
    return StepVector(
        labels=ranges.labels,
        values=np.where(native, np.nan, values),
        present=(present & ~mixed) | native,
        drop_name=ranges.drop_name,
        histograms=out,
    ).trimmed()


def _any(windows: Windows) -> Computed:
    return windows.counts.astype(np.float64), windows.counts > 0


def _neighbours(windows: Windows) -> tuple[Int64Array, Int64Array, BoolArray]:
    """Return the last sample up to each step, the one to look at beside it, and where any is."""
    reached = upper_bounds(windows.timestamps_ms, windows.offsets, windows.ends_ms)
    before = np.maximum(reached - 1, 0)
    known = (reached > windows.low) & (windows.counts > 0)
    is_exact = windows.timestamps_ms[before] == windows.ends_ms
    has_next = (reached < windows.high) & ~is_exact
    return before, np.where(has_next, np.minimum(reached, windows.last), before), known


def _floats(windows: Windows) -> Computed:
    before, following, known = _neighbours(windows)
    times, values = windows.timestamps_ms, windows.values
    older, newer = values[before], values[following]
    slope = (windows.ends_ms - times[before]) / (times[following] - times[before])
    found = np.where(following == before, older, older + (newer - older) * slope)
    return found, known


def _between(
    natives: RangeSamples, pair: tuple[int, int], at_ms: int, name: str, remarks: NativeRemarks
) -> Histogram | None:
    """Return the histogram at a time between two, or up to the one there is."""
    assert natives.histograms is not None
    older, newer = natives.histograms[list(pair)].tolist()
    if pair[0] == pair[1]:
        found: Histogram = older
        return found
    start, end = natives.timestamps_ms[list(pair)].tolist()
    fraction = (at_ms - start) / (end - start)
    is_counter = {older.counter_reset, newer.counter_reset} != {CounterReset.GAUGE}
    try:
        return interpolated(older, newer, fraction, remarks, is_counter=is_counter)
    except IncompatibleSchemasError:
        remarks.mixed_schemas(name)
        return None
