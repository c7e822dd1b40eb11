"""Selections that several queries of one moment share."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from detectviz.promql import nodes
from detectviz.tsdb.cutting import series_set_within
from detectviz.tsdb.interface import Matcher, SelectHints, SeriesSet, SeriesStore

_RAW_MS = 3_600_000  # every store keeps the last hour raw


@dataclass(frozen=True, slots=True)
class _Held:
    start_ms: int
    end_ms: int
    found: SeriesSet


class SharedReads:
    """Reads one tenant's samples at most once per set of matchers.

    ``expect`` announces what queries will read, so that the first read of overlapping ranges is
    wide enough for all. What is held is a snapshot: use it for one moment, then throw it away.
    """

    def __init__(self, store: SeriesStore, tenant: str, at_ms: int) -> None:
        self._store = store
        self._raw_from_ms = at_ms - _RAW_MS
        self._tenant = tenant
        self._wanted: dict[tuple[Matcher, ...], list[tuple[int, int]]] = defaultdict(list)
        self._held: dict[tuple[Matcher, ...], list[_Held]] = defaultdict(list)

    def expect(self, expression: nodes.Expression, at_ms: int, lookback_ms: int) -> None:
        """Announce the selectors of an instant query, but not those inside subqueries."""
        for matchers, start_ms, end_ms in _reads(expression, at_ms, lookback_ms):
            self._wanted[matchers].append((start_ms, end_ms))

    def select(
        self, matchers: tuple[Matcher, ...], start_ms: int, end_ms: int, hints: SelectHints
    ) -> SeriesSet:
        """Return what the store's ``select`` would.

        Only raw samples are shared: what may be answered by rollups is asked for as it is.
        """
        if hints.step_ms or start_ms < self._raw_from_ms:
            return self._store.select(self._tenant, matchers, start_ms, end_ms, hints=hints)
        for held in self._held[matchers]:
            if held.start_ms <= start_ms and end_ms <= held.end_ms:
                return _within(held, start_ms, end_ms)
        low, high = self._enlarged(matchers, start_ms, end_ms)
        held = _Held(low, high, self._store.select(self._tenant, matchers, low, high))
        if len(self._wanted[matchers]) > 1:
            self._held[matchers].append(held)
        return _within(held, start_ms, end_ms)

    def _enlarged(
        self, matchers: tuple[Matcher, ...], start_ms: int, end_ms: int
    ) -> tuple[int, int]:
        """Join the range with announced ones that overlap it, until none does."""
        low, high = start_ms, end_ms
        for start, end in sorted(self._wanted[matchers], reverse=True):
            if self._raw_from_ms <= start <= high and end >= low:
                low, high = min(low, start), max(high, end)
        return low, high


def _reads(
    expression: nodes.Expression, at_ms: int, lookback_ms: int
) -> Iterable[tuple[tuple[Matcher, ...], int, int]]:
    match expression:
        case nodes.Subquery():
            return
        case nodes.MatrixSelector():
            extra = lookback_ms if expression.selector.extension is not None else 0
            yield from _read(expression.selector, at_ms, expression.range_ms + extra)
        case nodes.VectorSelector():
            yield from _read(expression, at_ms, lookback_ms)
        case _:
            for child in nodes.children(expression):
                yield from _reads(child, at_ms, lookback_ms)


def _read(
    selector: nodes.VectorSelector, at_ms: int, window_ms: int
) -> Iterable[tuple[tuple[Matcher, ...], int, int]]:
    moment = selector.at if isinstance(selector.at, int) else at_ms
    end_ms = moment - selector.offset_ms
    yield selector.matchers, end_ms - window_ms + 1, end_ms


def _within(held: _Held, start_ms: int, end_ms: int) -> SeriesSet:
    """Return the samples of a narrower range; series without any are left out."""
    if (held.start_ms, held.end_ms) == (start_ms, end_ms):
        return held.found
    return series_set_within(held.found, start_ms, end_ms)
