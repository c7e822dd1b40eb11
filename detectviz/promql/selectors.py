"""From matchers to samples: reads the store for one tenant."""

import itertools
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.histograms.resets import statistics
from detectviz.promql.histograms.weight import weights
from detectviz.promql.limits import Budget
from detectviz.promql.nodes import Anchor, Extension
from detectviz.promql.vectors import BoolArray, RangeVector, StepVector, no_histograms, object_array
from detectviz.promql.windows import RangeSamples, is_stale, tiled, upper_bounds
from detectviz.tsdb.interface import (
    Float64Array,
    HistogramArray,
    Int64Array,
    Matcher,
    SelectHints,
    SeriesSet,
    SeriesStore,
)


class Reads(Protocol):
    """Answers selections of one tenant."""

    def select(
        self, matchers: tuple[Matcher, ...], start_ms: int, end_ms: int, hints: SelectHints
    ) -> SeriesSet:
        """Return what the store's ``select`` would."""


class Wanted(Enum):
    """What of a sample becomes the value of a step; times are in seconds."""

    VALUES = "values"
    TIMESTAMPS = "timestamps"
    START_TIMES = "start times"


SHOWN = "(none)"  # what hints say of a range vector that no function takes: no PromQL name


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads samples of one tenant for one query.

    ``start_ms`` and ``end_ms`` are what ``@ start()`` and ``@ end()`` mean. ``reads``, if given,
    answers instead of the store: what several queries of one moment share. Selectors whose
    identity (``id``) is in ``statistics_only`` get native histograms without buckets. Unless
    ``uses_start_times`` nothing is told of the times since when samples count.
    """

    store: SeriesStore
    tenant: str
    start_ms: int
    end_ms: int
    lookback_ms: int
    budget: Budget
    reads: Reads | None = None
    statistics_only: frozenset[int] = frozenset()
    uses_start_times: bool = True

    def references(
        self, times_ms: Int64Array, at: int | Anchor | None, offset_ms: int
    ) -> Int64Array:
        """Return the times looked at for the given times of evaluation."""
        if at is None:
            return times_ms - offset_ms
        if isinstance(at, Anchor):
            at = self.start_ms if at is Anchor.START else self.end_ms
        return np.full(len(times_ms), at - offset_ms, dtype=np.int64)

    def instant(
        self, node: nodes.VectorSelector, times_ms: Int64Array, *, want: Wanted = Wanted.VALUES
    ) -> StepVector:
        """Return the latest sample of each series not older than the lookback (exclusive)."""
        looked_at = self.references(times_ms, node.at, node.offset_ms)
        hints = SelectHints(step_ms=_step(looked_at), window_ms=self.lookback_ms)
        found = self._select(node, looked_at, hints)
        lookback_ms = self.lookback_ms + found.resolution_ms
        self.budget.charge(len(found) * len(times_ms))
        values = np.full((len(found), len(times_ms)), np.nan)
        present = np.zeros(values.shape, dtype=np.bool_)
        histograms = None if found.histograms is None else no_histograms(values.shape)
        for rows in tiled(len(found) if len(found.values) else 0, len(times_ms)):
            self.budget.check()
            offsets = found.offsets[rows.start : rows.stop + 1]
            index = upper_bounds(found.timestamps_ms, offsets, looked_at) - 1
            held = index >= offsets[:-1, None]
            index = np.maximum(index, 0)
            is_fresh = found.timestamps_ms[index] > looked_at - lookback_ms
            present[rows] = held & is_fresh & ~is_stale(found.values[index])
            values[rows] = _wanted(found, index, want)
            if histograms is not None and found.histograms is not None:
                histograms[rows] = found.histograms[index]
        dropped = np.zeros(len(found), dtype=np.bool_)
        vector = StepVector(
            labels=found.labels,
            values=values,
            present=present,
            drop_name=dropped,
            histograms=histograms,
        )
        self._charge_histograms(histograms, present)
        return vector.trimmed()

    def _charge_histograms(self, histograms: HistogramArray | None, present: BoolArray) -> None:
        """Charge what histograms weigh beyond the one sample each has been charged for."""
        if histograms is not None:
            self.budget.charge(int((weights(histograms[present]) - 1).sum()))

    def ranges(
        self, node: nodes.MatrixSelector, times_ms: Int64Array, *, function: str = ""
    ) -> RangeVector:
        """Return the samples of all windows, without staleness markers, for a function."""
        selector = node.selector
        looked_at = self.references(times_ms, selector.at, selector.offset_ms)
        before_ms = 0 if selector.extension is None else self.lookback_ms
        after_ms = self.lookback_ms if selector.extension is Extension.SMOOTHED else 0
        hints = SelectHints(
            step_ms=_step(looked_at),
            window_ms=node.range_ms + before_ms,
            function=function or SHOWN,
        )
        found = self._select(selector, looked_at, hints, after_ms=after_ms)
        self.budget.charge(len(found) * len(times_ms))
        samples = RangeSamples(
            offsets=found.offsets,
            timestamps_ms=found.timestamps_ms,
            values=found.values,
            ends_ms=looked_at,
            times_ms=times_ms,
            range_ms=node.range_ms,
            histograms=found.histograms,
            start_times_ms=found.start_times_ms if self.uses_start_times else None,
            before_ms=before_ms,
            after_ms=after_ms,
        ).without_stale()
        dropped = np.zeros(len(found), dtype=np.bool_)
        return RangeVector(labels=found.labels, drop_name=dropped, samples=samples)

    def surroundings(self, node: nodes.VectorSelector, times_ms: Int64Array) -> RangeVector:
        """Return the samples of one lookback to both sides of each step."""
        looked_at = self.references(times_ms, node.at, node.offset_ms)
        hints = SelectHints(step_ms=_step(looked_at), window_ms=self.lookback_ms, function=SHOWN)
        found = self._select(node, looked_at, hints, after_ms=self.lookback_ms)
        self.budget.charge(len(found) * len(times_ms))
        samples = RangeSamples(
            offsets=found.offsets,
            timestamps_ms=found.timestamps_ms,
            values=found.values,
            ends_ms=looked_at,
            times_ms=times_ms,
            range_ms=self.lookback_ms,
            histograms=found.histograms,
            after_ms=self.lookback_ms,
        ).without_stale()
        dropped = np.zeros(len(found), dtype=np.bool_)
        return RangeVector(labels=found.labels, drop_name=dropped, samples=samples)

    def _select(
        self,
        node: nodes.VectorSelector,
        looked_at: Int64Array,
        hints: SelectHints,
        *,
        after_ms: int = 0,
    ) -> SeriesSet:
        self.budget.check()
        start = int(looked_at.min()) - hints.window_ms + 1
        end = int(looked_at.max()) + after_ms
        watch = self.budget.selection()
        hints = replace(hints, watch=watch)
        if self.reads is None:
            found = self.store.select(self.tenant, node.matchers, start, end, hints=hints)
        else:
            found = self.reads.select(node.matchers, start, end, hints)
        watch(len(found), len(found.values))
        self.budget.charge(len(found.values))
        if found.histograms is not None and id(node) in self.statistics_only:
            found = replace(found, histograms=_statistics(found.histograms, found.offsets))
        self._charge_histograms(found.histograms, np.ones(len(found.values), dtype=np.bool_))
        return found


def _wanted(found: SeriesSet, index: Int64Array, want: Wanted) -> Float64Array:
    """Return what is wanted of the samples at ``index``; 0 for a start that is unknown."""
    if want is Wanted.VALUES:
        return found.values[index]
    times = found.timestamps_ms if want is Wanted.TIMESTAMPS else found.start_times_ms
    return np.zeros(index.shape) if times is None else times[index] / 1000.0


def _step(looked_at: Int64Array) -> int:
    return int(looked_at[1] - looked_at[0]) if len(looked_at) > 1 else 0


def _statistics(histograms: HistogramArray, offsets: Int64Array) -> HistogramArray:
    return object_array(
        [
            one
            for begin, end in itertools.pairwise(offsets.tolist())
            for one in statistics(histograms[begin:end].tolist())
        ]
    )
