"""Windows over raw samples: where each begins and ends, for all series and steps at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.tsdb.interface import STALE_NAN_BITS, Float64Array, HistogramArray, Int64Array

# Kernels that look at every sample of every window do so for this many samples at a time.
_MOST_CELLS = 2_000_000
# Temporaries of so many cells stay in a core's second-level cache.
_TILE_CELLS = 65_536
_REPAIRS = 3


def _never() -> None:
    """Let the work go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The windows of some series at all steps.

    Window (i, k) holds ``values[low[i, k]:high[i, k]]`` and the same slice of ``timestamps_ms``;
    it reaches from ``starts_ms[k]`` (excluded) to ``ends_ms[k]`` (included), or beyond if the
    samples were asked for ``before_ms`` and ``after_ms``. Series i owns
    ``offsets[i]:offsets[i + 1]``. Long work calls ``check``, which raises when it must stop.
    ``histograms`` is parallel to ``values`` where the windows are those of histograms, and
    ``start_times_ms`` where any sample says since when it counts (0: it does not).
    """

    offsets: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    low: Int64Array
    high: Int64Array
    starts_ms: Int64Array
    ends_ms: Int64Array
    times_ms: Int64Array
    check: Callable[[], None] = _never
    histograms: HistogramArray | None = None
    start_times_ms: Int64Array | None = None

    @property
    def counts(self) -> Int64Array:
        """Samples per window: int64[series, steps]."""
        return self.high - self.low

    @property
    def first(self) -> Int64Array:
        """Index of each window's first sample, safe to look up even if the window is empty."""
        return np.minimum(self.low, len(self.values) - 1)

    def columns(self, steps: slice) -> "Windows":
        """Return the windows of some steps only."""
        return replace(
            self,
            low=self.low[:, steps],
            high=self.high[:, steps],
            starts_ms=self.starts_ms[steps],
            ends_ms=self.ends_ms[steps],
            times_ms=self.times_ms[steps],
        )

    @property
    def last(self) -> Int64Array:
        """Index of each window's last sample, safe to look up even if the window is empty."""
        return np.maximum(self.high - 1, 0)


Computed: TypeAlias = tuple[Float64Array, npt.NDArray[np.bool_]]
Kernel: TypeAlias = Callable[[Windows], Computed]


def in_pieces(windows: Windows, kernel: Callable[[Windows, slice], Computed]) -> Computed:
    """Apply a kernel that looks at every sample of every window, a few steps at a time.

    The kernel gets the windows of some steps and the slice of steps they are; memory stays
    bounded and the query can be stopped in between.
    """
    per_step = np.cumsum(windows.counts.sum(axis=0))
    total = int(per_step[-1]) if len(per_step) else 0
    if total <= _MOST_CELLS:
        return kernel(windows, slice(0, len(per_step)))
    pieces: list[Computed] = []
    start = 0
    while start < len(per_step):
        before = int(per_step[start - 1]) if start else 0
        stop = int(np.searchsorted(per_step, before + _MOST_CELLS, "right"))
        steps = slice(start, max(stop, start + 1))
        windows.check()
        pieces.append(kernel(windows.columns(steps), steps))
        start = steps.stop
    values, present = zip(*pieces, strict=True)
    return np.concatenate(values, axis=1), np.concatenate(present, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeSamples:
    """Raw samples without stale markers, and the windows wanted from them.

    ``ends_ms`` is the end of the window per step (offset and ``@`` applied), ``times_ms`` the
    time of evaluation per step. ``histograms``, if any sample may be one, and
    ``start_times_ms``, if any is known, are parallel to ``values``. Kernels of floats get
    ``floats()``. Windows also hold the samples up to ``before_ms`` before them (excluded) and
    ``after_ms`` after them.
    """

    offsets: Int64Array
    timestamps_ms: Int64Array
    values: Float64Array
    ends_ms: Int64Array
    times_ms: Int64Array
    range_ms: int
    histograms: HistogramArray | None = None
    start_times_ms: Int64Array | None = None
    before_ms: int = 0
    after_ms: int = 0

    def __len__(self) -> int:
        """Count the series."""
        return len(self.offsets) - 1

    def floats(self) -> "RangeSamples":
        """Return the float samples only."""
        if self.histograms is None:
            return self
        return replace(self._kept(~self.histograms.astype(np.bool_)), histograms=None)

    def natives(self) -> "RangeSamples | None":
        """Return the samples that are histograms only; None if there are none."""
        if self.histograms is None:
            return None
        held = self.histograms.astype(np.bool_)
        return self._kept(held) if held.any() else None

    def _kept(self, kept: npt.NDArray[np.bool_]) -> "RangeSamples":
        before = np.zeros(len(kept) + 1, dtype=np.int64)
        np.cumsum(kept, out=before[1:])
        return replace(
            self,
            offsets=before[self.offsets],
            timestamps_ms=self.timestamps_ms[kept],
            values=self.values[kept],
            histograms=None if self.histograms is None else self.histograms[kept],
            start_times_ms=None if self.start_times_ms is None else self.start_times_ms[kept],
        )

    def without_stale(self) -> "RangeSamples":
        """Return the samples that are no staleness markers."""
        stale = is_stale(self.values)
        return self._kept(~stale) if stale.any() else self

    def whole(self) -> Windows:
        """Return the windows of all series at once."""
        return self._windows(0, len(self))

    def tiles(self, check: Callable[[], None]) -> Iterator[tuple[slice, Windows]]:
        """Yield slices of series with their windows, small enough to stay in cache."""
        for rows in tiled(len(self), len(self.ends_ms)):
            yield rows, replace(self._windows(rows.start, rows.stop), check=check)

    def _windows(self, start: int, stop: int) -> Windows:
        begin, end = int(self.offsets[start]), int(self.offsets[stop])
        offsets = self.offsets[start : stop + 1] - begin
        times = self.timestamps_ms[begin:end]
        low, high = self._edges(times, offsets)
        return Windows(
            offsets=offsets,
            timestamps_ms=times,
            values=self.values[begin:end],
            low=low,
            high=high,
            starts_ms=self.ends_ms - self.range_ms,
            ends_ms=self.ends_ms,
            times_ms=self.times_ms,
            histograms=None if self.histograms is None else self.histograms[begin:end],
            start_times_ms=None if self.start_times_ms is None else self.start_times_ms[begin:end],
        )

    def _edges(
        self, timestamps_ms: Int64Array, offsets: Int64Array
    ) -> tuple[Int64Array, Int64Array]:
        """Return where windows begin and end; where one's start is another's end, look once."""
        reach_ms = self.before_ms + self.range_ms + self.after_ms
        latest = self.ends_ms + self.after_ms
        shift = _repeats_after(latest, reach_ms)
        if shift is None:
            low = upper_bounds(timestamps_ms, offsets, latest - reach_ms)
            return low, upper_bounds(timestamps_ms, offsets, latest)
        bounds = np.concatenate((latest[:shift] - reach_ms, latest))
        edges = upper_bounds(timestamps_ms, offsets, bounds)
        return edges[:, : len(latest)], edges[:, shift:]

    def compute(self, kernel: Kernel, check: Callable[[], None] = _never) -> Computed:
        """Apply ``kernel`` tile by tile: float64 and bool [series, steps]."""
        shape = (len(self), len(self.ends_ms))
        values, present = np.full(shape, np.nan), np.zeros(shape, dtype=np.bool_)
        for rows, windows in self.tiles(check):
            check()
            if len(windows.values):
                values[rows], present[rows] = kernel(windows)
        return values, present


def _repeats_after(ends_ms: Int64Array, range_ms: int) -> int | None:
    """Return after how many steps windows begin where earlier ones ended, if they do."""
    if not len(ends_ms):
        return None
    shift = int(ends_ms.searchsorted(ends_ms[0] + range_ms))
    if not 0 < shift < len(ends_ms):
        return None
    return shift if np.array_equal(ends_ms[shift:] - range_ms, ends_ms[:-shift]) else None


def tiled(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of rows such that a tile of so many columns stays in cache."""
    height = max(1, _TILE_CELLS // max(1, columns))
    for start in range(0, rows, height):
        yield slice(start, min(start + height, rows))


def upper_bounds(
    timestamps_ms: Int64Array, offsets: Int64Array, bounds_ms: Int64Array
) -> Int64Array:
    """Return, per series and bound, the index of the first sample later than the bound.

    Nearly regular series are predicted from their mean interval and repaired; the rest is
    searched. ``timestamps_ms[offsets[i]:offsets[i + 1]]`` ascends; int64[series, bounds].
    """
    begins, ends = offsets[:-1, None], offsets[1:, None]
    if not len(timestamps_ms):
        return np.broadcast_to(begins, (len(offsets) - 1, len(bounds_ms))).copy()
    index = _predicted(timestamps_ms, offsets, bounds_ms)
    for _ in range(_REPAIRS):
        too_low = timestamps_ms.take(index, mode="clip") <= bounds_ms
        too_low &= index < ends
        too_high = timestamps_ms.take(index - 1, mode="clip") > bounds_ms
        too_high &= index > begins
        if not too_low.any() and not too_high.any():
            return index
        index += too_low
        index -= too_high
    for row in np.flatnonzero((too_low | too_high).any(axis=1)).tolist():
        begin, end = int(offsets[row]), int(offsets[row + 1])
        index[row] = begin + timestamps_ms[begin:end].searchsorted(bounds_ms, "right")
    return index


def _predicted(timestamps_ms: Int64Array, offsets: Int64Array, bounds_ms: Int64Array) -> Int64Array:
    counts = np.diff(offsets)
    first = timestamps_ms[np.minimum(offsets[:-1], len(timestamps_ms) - 1)]
    last = timestamps_ms[np.maximum(offsets[1:] - 1, 0)]
    interval = np.maximum((last - first) / np.maximum(counts - 1, 1), 1.0)
    guess = (bounds_ms[None, :] - first[:, None]) / interval[:, None]
    guess += 1
    np.maximum(guess, 0, out=guess)
    np.minimum(guess, counts[:, None], out=guess)
    index: Int64Array = guess.astype(np.int64)  # rounds down, since nothing is negative
    index += offsets[:-1, None]
    return index


def is_stale(values: Float64Array) -> npt.NDArray[np.bool_]:
    """Tell which values are staleness markers."""
    stale: npt.NDArray[np.bool_] = values.view(np.int64) == STALE_NAN_BITS
    return stale
