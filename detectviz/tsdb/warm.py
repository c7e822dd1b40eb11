"""A store that keeps what rules asked of a remote one, and asks it for the newest samples only.

A rule asks for the same series again and again, over a window that moved on a little. Of each
(tenant, matchers) the samples of the last answers stay in memory as far as they are *settled*; the
rest is asked for every time, so what comes again from there wins. Settled are samples older than
the overlap before the last sample of the slowest series (one that has ended drags at most
``LONGEST_LAG_MS``): series that are behind are waited for. The overlap is the tenant's
out-of-order window, but 30 to 60 seconds: less would miss what is under way, more would make no
request small. What changes before it (a later sample, the backend's deletions, ours in other
processes) is seen when all is asked for anew, after ``REFETCH_S`` at most. Deletions and late
appends through this store are seen at once.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from zlib import crc32

import numpy as np

from detectviz.tsdb.columns import append_report, columns_of
from detectviz.tsdb.cutting import series_set_within
from detectviz.tsdb.index import Selection
from detectviz.tsdb.interface import (
    AppendReport,
    Cardinality,
    ColumnsReport,
    Matcher,
    Sample,
    SampleColumns,
    SelectHints,
    SeriesSet,
    SeriesStore,
    StoreError,
)
from detectviz.tsdb.labels import label_key
from detectviz.tsdb.matching import compile_matcher
from detectviz.tsdb.policy import PolicyOf, default_policy
from detectviz.tsdb.segments import Segment, assemble, series_set

LEAST_OVERLAP_MS = 30_000
MOST_OVERLAP_MS = 60_000
LONGEST_LAG_MS = 300_000  # what is later than that no instant selector sees anyway
REFETCH_S = 600.0
IDLE_S = 900.0
_SPREAD_S = 120  # not everything is asked for anew at once
_PAIR_BYTES = 160  # of a label pair: two strings and their places in a dictionary
_HISTOGRAM_BYTES = 1024

_Key: TypeAlias = tuple[str, tuple[Matcher, ...]]


class ReadKind(StrEnum):
    """How a selection was answered."""

    HELD = "held"  # without asking the store
    NEWEST = "newest"  # the store was asked for the end of the window
    WHOLE = "whole"


def _wall_ms() -> int:
    return int(time.time() * 1000)


def _unobserved(kind: ReadKind, held_bytes: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmLimits:
    """How much is kept, by whose clocks, and who is told.

    ``observe`` is told of every selection and the bytes kept after it.
    """

    most_bytes: int
    policy: PolicyOf = default_policy
    observe: Callable[[ReadKind, int], None] = _unobserved
    now_ms: Callable[[], int] = _wall_ms
    monotonic_s: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """All samples of a selection with ``low_ms <= t <= settled_ms``."""

    found: SeriesSet
    low_ms: int
    settled_ms: int
    reach_ms: int  # how far before ``settled_ms`` somebody looked
    refetch_at_s: float
    used_at_s: float
    size: int


class WarmStore:
    """A ``SeriesStore`` over another that answers raw samples. Safe for threads.

    What it gives may share memory with what it keeps: it is not to be written to.
    """

    def __init__(self, store: SeriesStore, limits: WarmLimits) -> None:
        self.store = store
        self._limits = limits
        self._lock = threading.Lock()
        self._held: OrderedDict[_Key, _Held] = OrderedDict()
        self._bytes = 0
        self._forgettings = 0

    @property
    def held_bytes(self) -> int:
        """About how much memory the kept samples and labels take."""
        return self._bytes

    def select(
        self,
        tenant: str,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        hints: SelectHints | None = None,
    ) -> SeriesSet:
        """Return raw samples with ``start_ms <= t <= end_ms``, whatever the hints allow."""
        key = (tenant, tuple(matchers))
        asked = _Asked(
            start_ms=start_ms,
            end_ms=end_ms,
            now_ms=self._limits.now_ms(),
            now_s=self._limits.monotonic_s(),
            forgettings=self._forgettings,
        )
        held = self._usable(key, asked)
        try:
            kind, found = self._answer(key, held, asked)
        except StoreError:
            self._forget(lambda one, _: one[0] == tenant)
            raise
        self._limits.observe(kind, self._bytes)
        return found

    def _answer(self, key: _Key, held: _Held | None, asked: "_Asked") -> tuple[ReadKind, SeriesSet]:
        tenant, matchers = key
        if held is None:
            found = self.store.select(tenant, matchers, asked.start_ms, asked.end_ms)
            self._keep_whole(key, found, asked)
            return ReadKind.WHOLE, found
        kind, joined = ReadKind.HELD, held.found
        if asked.end_ms > held.settled_ms:
            kind = ReadKind.NEWEST
            newest = self.store.select(tenant, matchers, held.settled_ms + 1, asked.end_ms)
            joined = _joined(held.found, newest)
        self._keep_on(key, held, joined, asked)
        return kind, series_set_within(joined, asked.start_ms, asked.end_ms)

    def _usable(self, key: _Key, asked: "_Asked") -> _Held | None:
        """Return what is kept, if it makes the question smaller."""
        with self._lock:
            while self._held:
                oldest, one = next(iter(self._held.items()))
                if asked.now_s - one.used_at_s < IDLE_S:
                    break
                self._drop(oldest)
            held = self._held.get(key)
            if held is None:
                return None
            if asked.now_s >= held.refetch_at_s:
                self._drop(key)
                return None
        # Closing a gap that is longer than what is kept asks for more than the window.
        gap_ms = asked.start_ms - held.settled_ms
        is_near = gap_ms <= held.settled_ms - held.low_ms
        return held if held.low_ms <= asked.start_ms and is_near else None

    def _keep_whole(self, key: _Key, found: SeriesSet, asked: "_Asked") -> None:
        settled_ms = self._settled_ms(key[0], found, asked)
        if settled_ms < asked.start_ms:
            return  # empty, or the window is shorter than what can still change
        spread_s = crc32(repr(key).encode()) % _SPREAD_S
        born = _Held(
            found=found,
            low_ms=asked.start_ms,
            settled_ms=settled_ms,
            reach_ms=settled_ms - asked.start_ms,
            refetch_at_s=asked.now_s + REFETCH_S - spread_s,
            used_at_s=asked.now_s,
            size=0,
        )
        self._keep(key, born, asked)

    def _keep_on(self, key: _Key, held: _Held, joined: SeriesSet, asked: "_Asked") -> None:
        settled_ms = max(held.settled_ms, self._settled_ms(key[0], joined, asked))
        reach_ms = max(held.reach_ms, settled_ms - asked.start_ms)
        further = _Held(
            found=joined,
            low_ms=max(held.low_ms, settled_ms - reach_ms),
            settled_ms=settled_ms,
            reach_ms=reach_ms,
            refetch_at_s=held.refetch_at_s,
            used_at_s=asked.now_s,
            size=0,
        )
        self._keep(key, further, asked)

    def _settled_ms(self, tenant: str, found: SeriesSet, asked: "_Asked") -> int:
        """Return up to when nothing is expected to change any more."""
        end_ms = min(asked.end_ms, asked.now_ms)
        if not len(found):
            return asked.start_ms - 1
        last = found.timestamps_ms[found.offsets[1:] - 1]
        slow = last[last >= end_ms - LONGEST_LAG_MS]
        slowest_ms = int(slow.min()) if len(slow) else end_ms - LONGEST_LAG_MS
        out_of_order_ms = int(self._limits.policy(tenant).out_of_order_s * 1000)
        overlap_ms = min(max(out_of_order_ms, LEAST_OVERLAP_MS), MOST_OVERLAP_MS)
        return min(slowest_ms, end_ms) - overlap_ms

    def _keep(self, key: _Key, fresh: _Held, asked: "_Asked") -> None:
        found = series_set_within(fresh.found, fresh.low_ms, fresh.settled_ms)
        kept = _Held(
            found=found,
            low_ms=fresh.low_ms,
            settled_ms=fresh.settled_ms,
            reach_ms=fresh.reach_ms,
            refetch_at_s=fresh.refetch_at_s,
            used_at_s=fresh.used_at_s,
            size=_size(found),
        )
        with self._lock:
            if asked.forgettings != self._forgettings:
                return  # what was read may be older than what was forgotten
            self._drop(key)
            if kept.size > self._limits.most_bytes:
                return
            self._held[key] = kept
            self._bytes += kept.size
            while self._bytes > self._limits.most_bytes:
                self._drop(next(iter(self._held)))

    def _drop(self, key: _Key) -> None:
        gone = self._held.pop(key, None)
        if gone is not None:
            self._bytes -= gone.size

    def _forget(self, is_meant: Callable[[_Key, _Held], bool]) -> None:
        with self._lock:
            self._forgettings += 1
            for key in [key for key, held in self._held.items() if is_meant(key, held)]:
                self._drop(key)

    def append(self, tenant: str, samples: Sequence[Sample]) -> AppendReport:
        """Store samples; what is kept and should have them is forgotten."""
        return append_report(samples, self.append_columns(tenant, columns_of(samples)))

    def append_columns(self, tenant: str, columns: SampleColumns) -> ColumnsReport:
        """Store columns; what is kept and should have them is forgotten."""
        report = self.store.append_columns(tenant, columns)
        if len(columns):
            oldest_ms = int(columns.timestamps_ms.min())
            self._forget(
                lambda key, held: (
                    key[0] == tenant
                    and oldest_ms <= held.settled_ms
                    and _may_match(key[1], columns)
                )
            )
        return report

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Return what the store does."""
        return self.store.series(tenant, matchers, start_ms, end_ms)

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return what the store does."""
        return self.store.label_names(tenant, matchers, start_ms, end_ms)

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return what the store does."""
        return self.store.label_values(tenant, name, matchers, start_ms, end_ms)

    def delete(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> int:
        """Delete as the store does, and forget everything of the tenant."""
        try:
            return self.store.delete(tenant, matchers, start_ms, end_ms)
        finally:
            self._forget(lambda key, _: key[0] == tenant)

    def cardinality(self, tenant: str, limit: int) -> Cardinality:
        """Return what the store does."""
        return self.store.cardinality(tenant, limit)

    def check(self) -> None:
        """Ask the store."""
        self.store.check()

    def maintain(self, now_ms: int) -> None:
        """Let the store maintain itself."""
        self.store.maintain(now_ms)

    def close(self) -> None:
        """Forget everything; the store belongs to who made it and stays open."""
        self._forget(lambda *_: True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    start_ms: int
    end_ms: int
    now_ms: int
    now_s: float
    forgettings: int


def _joined(first: SeriesSet, then: SeriesSet) -> SeriesSet:
    """Return both; every sample of ``first`` is before every one of ``then``."""
    sets = [first, then]
    keys = [[label_key(labels) for labels in one.labels] for one in sets]
    labels = {
        key: own
        for one, names in zip(sets, keys, strict=True)
        for key, own in zip(names, one.labels, strict=True)
    }
    ordered = sorted(labels)
    places = {key: place for place, key in enumerate(ordered)}
    segments = [
        Segment(
            owners=np.array([places[key] for key in names], np.int64),
            counts=np.diff(one.offsets),
            timestamps_ms=one.timestamps_ms,
            values=one.values,
            histograms=one.histograms,
            start_times_ms=one.start_times_ms,
            ascends=True,
        )
        for one, names in zip(sets, keys, strict=True)
        if names
    ]
    selection = Selection(ids=np.arange(len(ordered)), labels=tuple(labels[key] for key in ordered))
    return series_set(selection, assemble(len(ordered), segments))


def _size(found: SeriesSet) -> int:
    """Return about how many bytes an answer takes."""
    size = found.timestamps_ms.nbytes + found.values.nbytes + found.offsets.nbytes
    size += sum(len(labels) for labels in found.labels) * _PAIR_BYTES
    if found.histograms is not None:
        size += len(found.histograms) * _HISTOGRAM_BYTES
    if found.start_times_ms is not None:
        size += found.start_times_ms.nbytes
    return size


def _may_match(matchers: Sequence[Matcher], columns: SampleColumns) -> bool:
    """Say whether any series named matches; True when a name can't be read."""
    try:
        return any(_all_match(matchers, columns.labels_of(token)) for token in columns.series)
    except ValueError:
        return True


def _all_match(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    return all(compile_matcher(one).matches(labels.get(one.name, "")) for one in matchers)
