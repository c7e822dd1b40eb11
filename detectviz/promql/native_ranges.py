"""Range functions over windows that hold native histograms."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detectviz.promql.counters import extrapolation
from detectviz.promql.histograms.arithmetic import (
    IncompatibleSchemasError,
    divided,
    scaled,
    subtracted,
    total,
)
from detectviz.promql.histograms.blocks import Block, block_of
from detectviz.promql.histograms.buckets import is_custom
from detectviz.promql.histograms.drafts import compacted
from detectviz.promql.histograms.equality import equal
from detectviz.promql.histograms.resets import is_reset
from detectviz.promql.labels import Labels
from detectviz.promql.native_aggregations import combined_at
from detectviz.promql.native_blocks import hints_of_windows, window_differences, window_totals
from detectviz.promql.native_remarks import NativeRemarks, Operation
from detectviz.promql.start_times import Origins, origins, restarted
from detectviz.promql.vectors import BoolArray, no_histograms
from detectviz.promql.windows import Windows
from detectviz.tsdb.histograms import CounterReset, Histogram
from detectviz.tsdb.interface import METRIC_NAME, Float64Array, HistogramArray, Int64Array

_MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeWindows:
    """Windows that hold histograms, with what is needed to speak of them.

    ``wanted`` bool[series, steps] are the windows to look at.
    """

    windows: Windows
    wanted: BoolArray
    labels: Sequence[Labels]
    remarks: NativeRemarks
    check: Callable[[], None]

    def name(self, row: int) -> str:
        """Return the metric's name of a series."""
        return self.labels[row].get(METRIC_NAME, "")

    def samples(self, low: int, high: int) -> list[Histogram]:
        """Return the samples of one window."""
        assert self.windows.histograms is not None
        found: list[Histogram] = self.windows.histograms[low:high].tolist()
        return found

    def steps(self, row: int) -> Int64Array:
        """Return the wanted steps of a series."""
        return np.flatnonzero(self.wanted[row])

    def rows(self) -> Iterator[int]:
        """Yield the series with wanted windows; stop when the query must."""
        for row in np.flatnonzero(self.wanted.any(axis=1)).tolist():
            self.check()
            yield row

    def block(self, row: int) -> "_SeriesBlock | None":
        """Return a series whose samples have one layout, with its wanted windows."""
        begin, end = self.windows.offsets[row : row + 2].tolist()
        steps = self.steps(row)
        block = block_of(self.samples(begin, end))
        low, high = self.windows.low[row, steps] - begin, self.windows.high[row, steps] - begin
        return None if block is None else _SeriesBlock(block, low, high)

    def one_by_one(self, row: int, compute: "_PerWindow") -> list[Histogram | None]:
        """Return what ``compute`` makes of each wanted window of a series."""
        low, high = (one[row, self.steps(row)].tolist() for one in self._edges())
        found: list[Histogram | None] = []
        for edges in zip(low, high, strict=True):
            self.check()
            found.append(compute(row, *edges))
        return found

    def _edges(self) -> tuple[Int64Array, Int64Array]:
        return self.windows.low, self.windows.high


@dataclass(frozen=True, slots=True)
class _SeriesBlock:
    """Samples of one layout; window i holds ``block[low[i]:high[i]]``."""

    block: Block
    low: Int64Array
    high: Int64Array


_PerWindow = Callable[[int, int, int], Histogram | None]


def over_time(operator: str, natives: NativeWindows) -> HistogramArray:
    """Sum or average the histograms of each window."""

    def compute(row: int, low: int, high: int) -> Histogram | None:
        labels = natives.labels[row]
        samples = natives.samples(low, high)
        return combined_at(operator, samples, [labels] * len(samples), natives.remarks)

    out = no_histograms(natives.wanted.shape)
    for row in natives.rows():
        series = natives.block(row)
        if series is None:
            out[row, natives.steps(row)] = natives.one_by_one(row, compute)
            continue
        hints = hints_of_windows(series.block.hints, series.low, series.high)
        if hints.conflicts.any():
            natives.remarks.reset_conflict(Operation.AGGREGATION)
        found = window_totals(operator, series.block, series.low, series.high, hints.joint)
        out[row, natives.steps(row)] = found.histograms()
    return out


def extrapolated_histograms(
    natives: NativeWindows, *, is_counter: bool, is_rate: bool
) -> HistogramArray:
    """Compute ``rate``, ``increase`` or ``delta`` (Prometheus' ``histogramRate``)."""
    begun = origins(natives.windows) if is_counter else None
    enough = natives.windows.counts >= 2  # noqa: PLR2004 - a difference needs two samples
    enough = enough if begun is None else enough | begun.known
    natives = replace(natives, wanted=natives.wanted & enough)
    differences = _Differences(natives, is_counter=is_counter)
    shape = natives.wanted.shape
    found: dict[int, Block | list[Histogram | None]] = {}
    counts = np.full(shape, math.nan)
    for row in natives.rows():
        series = differences.of_series(row)
        if begun is not None and not isinstance(series, Block):
            series = _since_begun(natives, row, begun, series)
        found[row] = series
        counts[row, natives.steps(row)] = _counts(found[row])
    first = _first_counts(natives.windows)
    factors = extrapolation(natives.windows, first, counts, is_counter=is_counter, is_rate=is_rate)
    out = no_histograms(shape)
    for row, series in found.items():
        steps = natives.steps(row)
        out[row, steps] = _scaled(series, factors[row, steps])
    return out


def _since_begun(
    natives: NativeWindows, row: int, begun: Origins, series: list[Histogram | None]
) -> list[Histogram | None]:
    """Add the first sample of windows where the counter began at zero inside of them."""
    windows = natives.windows
    added = list(series)
    for at, step in enumerate(natives.steps(row).tolist()):
        difference = series[at]
        low = int(windows.low[row, step])
        if difference is None or not begun.known[row, step] or windows.counts[row, step] == 1:
            continue
        try:
            sum_of_both = total((difference, *natives.samples(low, low + 1)))
        except IncompatibleSchemasError:
            natives.remarks.mixed_schemas(natives.name(row))
            added[at] = None
            continue
        if sum_of_both.is_reconciled:
            natives.remarks.reconciled(Operation.ADDITION)
        added[at] = sum_of_both.histogram
    return added


def _counts(series: "Block | list[Histogram | None]") -> Float64Array:
    if isinstance(series, Block):
        return series.counts[:, 0]
    return np.array([math.nan if one is None else one.count for one in series])


def _scaled(
    series: "Block | list[Histogram | None]", factors: Float64Array
) -> Sequence[Histogram | None]:
    if isinstance(series, Block):
        return series.with_rows(series.counts * factors[:, None], series.hints).histograms()
    pairs = zip(series, factors.tolist(), strict=True)
    return [None if one is None else scaled(one, factor) for one, factor in pairs]


def _first_counts(windows: Windows) -> Float64Array:
    assert windows.histograms is not None
    counts = np.array([one.count for one in windows.histograms.tolist()])
    return np.asarray(counts[windows.first])


class _Differences:
    """Last minus first sample of a window, with what restarts took away added."""

    def __init__(self, natives: NativeWindows, *, is_counter: bool) -> None:
        self.natives = natives
        self.is_counter = is_counter
        self.resets: dict[int, bool] = {}
        self.restarts = restarted(natives.windows)

    def of_series(self, row: int) -> Block | list[Histogram | None]:
        """Return the differences of a series' wanted windows."""
        # What start times tell of restarts is only looked at window by window.
        series = self.natives.block(row) if self.restarts is None else None
        if series is None:
            return self.natives.one_by_one(row, self.window)
        gauges = series.block.hints == CounterReset.GAUGE
        low, last = series.low, series.high - 1
        if self.is_counter:
            within = hints_of_windows(series.block.hints, series.low, series.high).joint
            are_wrong = within == CounterReset.GAUGE
        else:
            are_wrong = ~(gauges[low] & gauges[last])
        if are_wrong.any():
            self._remark_on_wrong_type(self.natives.name(row))
        return window_differences(series.block, series.low, series.high, is_counter=self.is_counter)

    def _remark_on_wrong_type(self, name: str) -> None:
        remarks = self.natives.remarks
        if self.is_counter:
            remarks.not_counter(name)
        else:
            remarks.not_gauge(name)

    def _is_reset(self, place: int) -> bool:
        if self.restarts is not None and self.restarts[place - 1]:
            return True
        if place not in self.resets:
            older, newer = self.natives.samples(place - 1, place + 1)
            self.resets[place] = is_reset(newer, older)
        return self.resets[place]

    def window(self, row: int, low: int, high: int) -> Histogram | None:
        samples = self.natives.samples(low, high)
        name, remarks = self.natives.name(row), self.natives.remarks
        first = samples[0]
        if len(samples) == 1:
            return first
        lost: list[Histogram] = []
        if self.is_counter:
            if self._is_reset(low + 1):
                first = _nothing_like(samples[1])
            lost = [samples[at - 1] for at in range(2, high - low) if self._is_reset(low + at)]
        used = samples[1:] if self.is_counter else [samples[-1]]
        if any(is_custom(one) != is_custom(first) for one in used):
            remarks.mixed_schemas(name)
            return None
        self._remark_on_type(samples, name)
        _remark_on_bounds(samples[-1], first, lost, remarks)
        parts = [samples[-1], scaled(first, -1.0), *lost]
        if not is_custom(first):
            # A coarser sample in between makes the result as coarse, whether it counts or not.
            parts.append(_empty(min(one.schema for one in used)))
        return replace(total(parts).histogram, counter_reset=CounterReset.GAUGE)

    def _remark_on_type(self, samples: list[Histogram], name: str) -> None:
        gauges = [one.counter_reset is CounterReset.GAUGE for one in samples]
        if any(gauges) if self.is_counter else not (gauges[0] and gauges[-1]):
            self._remark_on_wrong_type(name)


def _nothing_like(histogram: Histogram) -> Histogram:
    return replace(_empty(histogram.schema), custom_values=histogram.custom_values)


def _empty(schema: int) -> Histogram:
    return Histogram(count=0.0, sum=0.0, schema=schema)


def _remark_on_bounds(
    last: Histogram, first: Histogram, lost: Sequence[Histogram], remarks: NativeRemarks
) -> None:
    bounds = last.custom_values
    operations = [Operation.SUBTRACTION, *[Operation.ADDITION] * len(lost)]
    for operation, other in zip(operations, (first, *lost), strict=True):
        if other.custom_values != bounds:
            remarks.reconciled(operation)
            bounds = tuple(sorted(set(bounds) & set(other.custom_values)))


def instant_differences(natives: NativeWindows, *, is_rate: bool) -> HistogramArray:
    """Compute ``irate`` or ``idelta`` where one of the last two samples is a histogram."""
    restarts = restarted(natives.windows) if is_rate else None

    def compute(row: int, low: int, high: int) -> Histogram | None:
        older, newer = natives.samples(max(high - 2, low), high)
        if older is None or newer is None:
            natives.remarks.mixed_range(natives.name(row))
            return None
        times = natives.windows.timestamps_ms[high - 2 : high].tolist()
        if restarts is not None and restarts[high - 2]:
            newer = replace(newer, counter_reset=CounterReset.YES)
        found = _step(older, newer, natives.name(row), natives.remarks, is_rate=is_rate)
        if found is None or not is_rate:
            return found
        return divided(found, (times[1] - times[0]) / _MS_PER_S)

    out = no_histograms(natives.wanted.shape)
    for row in natives.rows():
        out[row, natives.steps(row)] = natives.one_by_one(row, compute)
    return out


def _step(
    older: Histogram, newer: Histogram, name: str, remarks: NativeRemarks, *, is_rate: bool
) -> Histogram | None:
    gauges = [one.counter_reset is CounterReset.GAUGE for one in (older, newer)]
    if is_rate and any(gauges):
        remarks.not_counter(name)
    if not is_rate and not all(gauges):
        remarks.not_gauge(name)
    found = newer
    if not is_rate or not is_reset(newer, older):
        try:
            difference = subtracted(newer, older)
        except IncompatibleSchemasError:
            remarks.mixed_schemas(name)
            return None
        if difference.is_reconciled:
            remarks.reconciled(Operation.SUBTRACTION)
        found = difference.histogram
    return compacted(replace(found, counter_reset=CounterReset.GAUGE))


def changed(windows: Windows) -> BoolArray:
    """Tell, for each sample but the first, whether it differs from the one before."""
    return _compared(windows, _float_changed, lambda newer, older: not equal(newer, older))


def fell(windows: Windows) -> BoolArray:
    """Tell, for each sample but the first, whether a counter restarted before it."""
    restarts = restarted(windows)
    found = _compared(windows, np.less, is_reset)
    return found if restarts is None else found | restarts


def _float_changed(newer: Float64Array, older: Float64Array) -> BoolArray:
    both_undefined: BoolArray = np.isnan(older) & np.isnan(newer)
    return np.not_equal(older, newer) & ~both_undefined


def _compared(
    windows: Windows,
    floats: Callable[[Float64Array, Float64Array], BoolArray],
    histograms: Callable[[Histogram, Histogram], bool],
) -> BoolArray:
    found: BoolArray = floats(windows.values[1:], windows.values[:-1])
    if windows.histograms is None:
        return found
    native = windows.histograms.astype(np.bool_)
    found[native[1:] | native[:-1]] = False
    found[native[1:] != native[:-1]] = True
    samples = windows.histograms.tolist()
    for place in np.flatnonzero(native[1:] & native[:-1]).tolist():
        windows.check()
        found[place] = histograms(samples[place + 1], samples[place])
    return found
