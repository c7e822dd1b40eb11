"""Which series of a tenant match: postings per label name and value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detectviz.tsdb.interface import Int64Array, Matcher
from detectviz.tsdb.labels import LabelKey
from detectviz.tsdb.matching import CompiledMatcher, compile_matcher

_MAX_SELECTIONS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Series ids with their labels, ordered by labels. The label sets are shared: read only."""

    ids: Int64Array
    labels: tuple[Mapping[str, str], ...]

    def take(self, places: Int64Array) -> "Selection":
        """Return the series at these places, in this order."""
        chosen = tuple(self.labels[place] for place in places.tolist())
        return Selection(ids=self.ids[places], labels=chosen)


class TenantIndex:
    """Series of one tenant. Not safe for several threads: its owner locks."""

    def __init__(self) -> None:
        self._ids: dict[LabelKey, int] = {}
        self._keys: dict[int, LabelKey] = {}
        self._labels: dict[int, Mapping[str, str]] = {}
        self._postings: dict[str, dict[str, list[int]]] = {}
        self._selections: dict[tuple[Matcher, ...], Selection] = {}

    def add(self, series_id: int, key: LabelKey) -> None:
        """Take in a series; ids come in ascending order."""
        self._ids[key] = series_id
        self._keys[series_id] = key
        self._labels[series_id] = dict(key)
        for name, value in key:
            self._postings.setdefault(name, {}).setdefault(value, []).append(series_id)
        self._selections.clear()

    def find(self, key: LabelKey) -> int | None:
        """Return the id of the series with these labels."""
        return self._ids.get(key)

    def select(self, matchers: Sequence[Matcher]) -> Selection:
        """Return the series that satisfy every matcher; all series when there is none."""
        wanted = tuple(matchers)
        selection = self._selections.get(wanted)
        if selection is None:
            selection = self._ordered(self._matching(wanted))
            if len(self._selections) >= _MAX_SELECTIONS:
                self._selections.clear()
            self._selections[wanted] = selection
        return selection

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of series by label name and value."""
        return {
            name: {value: len(ids) for value, ids in values.items()}
            for name, values in self._postings.items()
        }

    def ids(self) -> Int64Array:
        """Return the ids of all series."""
        return np.fromiter(self._keys, np.int64, len(self._keys))

    def __len__(self) -> int:
        """Count the series."""
        return len(self._ids)

    def _matching(self, matchers: tuple[Matcher, ...]) -> Int64Array:
        found: Int64Array | None = None
        excluded: list[Int64Array] = []
        for matcher in matchers:
            compiled = compile_matcher(matcher)
            values = self._postings.get(matcher.name, {})
            if compiled.matches(""):
                excluded.append(_union(values, _refused(compiled, values)))
                continue
            ids = _union(values, _accepted(compiled, values))
            found = ids if found is None else np.intersect1d(found, ids, assume_unique=True)
        if found is None:
            found = self.ids()
        for ids in excluded:
            found = np.setdiff1d(found, ids, assume_unique=True)
        return found

    def _ordered(self, ids: Int64Array) -> Selection:
        ordered = sorted(ids.tolist(), key=self._keys.__getitem__)
        return Selection(
            ids=np.array(ordered, np.int64),
            labels=tuple(self._labels[series_id] for series_id in ordered),
        )


def _accepted(compiled: CompiledMatcher, values: Mapping[str, list[int]]) -> Iterable[str]:
    if compiled.literals is not None and not compiled.negative:
        return compiled.literals & values.keys()
    return [value for value in values if compiled.matches(value)]


def _refused(compiled: CompiledMatcher, values: Mapping[str, list[int]]) -> Iterable[str]:
    if compiled.literals is not None and compiled.negative:
        return compiled.literals & values.keys()
    return [value for value in values if not compiled.matches(value)]


def _union(values: Mapping[str, list[int]], chosen: Iterable[str]) -> Int64Array:
    # A series has one value per name, so the lists never share an id.
    lists = [np.array(values[value], np.int64) for value in chosen]
    return np.sort(np.concatenate(lists)) if lists else np.empty(0, np.int64)
