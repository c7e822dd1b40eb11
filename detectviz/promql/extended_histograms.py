"""Native histograms of ``anchored`` and ``smoothed`` windows.

Semantics of Prometheus' ``extendedHistogramRate``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from detectviz.promql.extended import Edges, edges
from detectviz.promql.histograms.arithmetic import (
    IncompatibleSchemasError,
    divided,
    subtracted,
    total,
)
from detectviz.promql.histograms.buckets import is_custom
from detectviz.promql.histograms.drafts import compacted
from detectviz.promql.histograms.interpolation import between
from detectviz.promql.histograms.resets import is_reset
from detectviz.promql.native_ranges import NativeWindows
from detectviz.promql.native_remarks import NativeRemarks, Operation
from detectviz.promql.nodes import Extension
from detectviz.promql.vectors import no_histograms
from detectviz.tsdb.histograms import CounterReset, Histogram
from detectviz.tsdb.interface import HistogramArray

_MS_PER_S = 1000.0


def interpolated(
    older: Histogram,
    newer: Histogram,
    fraction: float,
    remarks: NativeRemarks,
    *,
    is_counter: bool,
) -> Histogram:
    """Return what ``between`` does, remarking on bounds that were reduced."""
    found = between(older, newer, fraction, is_counter=is_counter)
    if found.is_subtraction_reconciled:
        remarks.reconciled(Operation.SUBTRACTION)
    if found.is_addition_reconciled:
        remarks.reconciled(Operation.ADDITION)
    return found.histogram


def extended_histograms(
    natives: NativeWindows, *, extension: Extension, is_counter: bool, is_rate: bool
) -> HistogramArray:
    """Compute ``rate``, ``increase`` or ``delta`` between the edges of extended windows."""
    windows = natives.windows
    found = edges(windows, extension)
    natives = replace(natives, wanted=natives.wanted & found.present)
    out = no_histograms(natives.wanted.shape)
    for row in natives.rows():
        for step in natives.steps(row).tolist():
            natives.check()
            window = _window(natives, found, row, step, is_smoothed=extension is Extension.SMOOTHED)
            try:
                difference = window.difference(is_counter=is_counter)
            except IncompatibleSchemasError:
                natives.remarks.mixed_schemas(natives.name(row))
                continue
            if is_rate:
                difference = divided(difference, window.length_ms / _MS_PER_S)
            gauge = replace(difference, counter_reset=CounterReset.GAUGE)
            out[row, step] = compacted(gauge)
    return out


def _window(
    natives: NativeWindows, found: Edges, row: int, step: int, *, is_smoothed: bool
) -> "_Window":
    windows = natives.windows
    low, high = int(found.first[row, step]), int(found.last[row, step]) + 1
    return _Window(
        samples=natives.samples(low, high),
        times_ms=windows.timestamps_ms[low:high].tolist(),
        start_ms=int(windows.starts_ms[step]),
        end_ms=int(windows.ends_ms[step]),
        is_smoothed=is_smoothed,
        name=natives.name(row),
        remarks=natives.remarks,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """The samples from the first edge to the last, both at or beyond the window's own."""

    samples: Sequence[Histogram]
    times_ms: Sequence[int]
    start_ms: int
    end_ms: int
    is_smoothed: bool
    name: str
    remarks: NativeRemarks

    @property
    def length_ms(self) -> int:
        return self.end_ms - self.start_ms

    def difference(self, *, is_counter: bool) -> Histogram:
        """Return the end less the start, resets added; IncompatibleSchemasError."""
        if len({is_custom(one) for one in self.samples}) > 1:
            raise IncompatibleSchemasError
        gauges = [one.counter_reset is CounterReset.GAUGE for one in self.samples]
        if is_counter and any(gauges):
            self.remarks.not_counter(self.name)
        left, right = self._left(is_counter=is_counter), self._right(is_counter=is_counter)
        if not is_counter and any(
            one.counter_reset is not CounterReset.GAUGE for one in (left, right)
        ):
            self.remarks.not_gauge(self.name)
        found = subtracted(right, left)
        if found.is_reconciled:
            self.remarks.reconciled(Operation.SUBTRACTION)
        lost = self._lost(left, right) if is_counter else []
        if not lost:
            return found.histogram
        correction = total(lost)
        corrected = total((found.histogram, correction.histogram))
        if correction.is_reconciled or corrected.is_reconciled:
            self.remarks.reconciled(Operation.ADDITION)
        return corrected.histogram

    def _left(self, *, is_counter: bool) -> Histogram:
        if not self.is_smoothed or self.times_ms[0] >= self.start_ms:
            return self.samples[0]
        return self._at(0, self.start_ms, is_counter=is_counter)

    def _right(self, *, is_counter: bool) -> Histogram:
        last = len(self.samples) - 1
        if not self.is_smoothed or last == 0 or self.times_ms[last] <= self.end_ms:
            return self.samples[last]
        return self._at(last - 1, self.end_ms, is_counter=is_counter)

    def _at(self, place: int, at_ms: int, *, is_counter: bool) -> Histogram:
        older, newer = self.times_ms[place : place + 2]
        fraction = (at_ms - older) / (newer - older)
        before, after = self.samples[place : place + 2]
        return interpolated(before, after, fraction, self.remarks, is_counter=is_counter)

    def _lost(self, left: Histogram, right: Histogram) -> list[Histogram]:
        """Return what resets took away; those the edges were interpolated over are in them."""
        first, previous = 1, left
        if self.is_smoothed and self.times_ms[0] < self.start_ms:
            following = self.samples[1]
            if is_reset(following, self.samples[0]):
                first, previous = 2, following
        if first > len(self.samples) - 1:
            return []
        lost: list[Histogram] = []
        for one in (*self.samples[first:-1], right):
            if is_reset(one, previous):
                lost.append(previous)
            previous = one
        return lost
