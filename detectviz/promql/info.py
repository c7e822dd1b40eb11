"""``info()``: labels of info series, such as ``target_info``, added to the series they describe."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.errors import EvaluationError
from detectviz.promql.labels import Labels, format_labels, key_with
from detectviz.promql.patterns import matches
from detectviz.promql.selectors import Reader, Wanted
from detectviz.promql.vectors import BoolArray, StepVector, empty_vector
from detectviz.tsdb.interface import METRIC_NAME, Int64Array, Matcher, MatchOp

_IDENTIFYING = ("instance", "job")
_DEFAULT_NAME = Matcher(METRIC_NAME, MatchOp.EQUAL, "target_info")
_ANY_INFO = Matcher(METRIC_NAME, MatchOp.REGEX, ".+_info")
_POSITIVE = frozenset({MatchOp.EQUAL, MatchOp.REGEX})
_NONE = -1


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which info series are asked for (``names``), and which of their labels (``data``)."""

    names: tuple[Matcher, ...]
    data: tuple[Matcher, ...]

    def is_info(self, labels: Labels) -> bool:
        return all(matches(matcher, labels.get(METRIC_NAME, "")) for matcher in self.names)

    @property
    def requires_match(self) -> bool:
        return not all(matches(matcher, "") for matcher in self.data)

    def picked(self, labels: Labels) -> dict[str, str]:
        asked = {matcher.name for matcher in self.data}
        return {
            name: value
            for name, value in labels.items()
            if name != METRIC_NAME and (not asked or name in asked)
        }


def _wanted(node: nodes.Call) -> _Wanted:
    matchers: Sequence[Matcher] = ()
    if len(node.arguments) > 1:
        selector = node.arguments[1]
        assert isinstance(selector, nodes.VectorSelector)
        matchers = selector.matchers
    names = [matcher for matcher in matchers if matcher.name == METRIC_NAME]
    if not names:
        names = [_DEFAULT_NAME]
    elif all(matcher.op not in _POSITIVE for matcher in names):
        names.append(_ANY_INFO)
    data = tuple(matcher for matcher in matchers if matcher.name != METRIC_NAME)
    return _Wanted(tuple(names), data)


def _looked_at(reader: Reader, node: nodes.Expression, times: Int64Array) -> Int64Array | None:
    """Return the times the first selector below ``node`` looks at; None if there is none."""
    if isinstance(node, nodes.VectorSelector):
        return reader.references(times, node.at, node.offset_ms)
    if isinstance(node, nodes.Subquery):
        times = reader.references(times, node.at, node.offset_ms)
    for child in nodes.children(node):
        found = _looked_at(reader, child, times)
        if found is not None:
            return found
    return None


def enrich(reader: Reader, node: nodes.Call, base: StepVector, times: Int64Array) -> StepVector:
    """Add to each series of ``base`` the labels of info series with its instance and job.

    Info series are looked up at the times the base series are. Without a match a series stays
    as it is, unless a matcher demands a label. Raise EvaluationError when info series
    contradict each other. Semantics of Prometheus' ``info``.
    """
    wanted = _wanted(node)
    looked_at = _looked_at(reader, node.arguments[0], times)
    selector = nodes.VectorSelector(
        name=None, matchers=(*wanted.names, *wanted.data), span=node.span
    )
    at = times if looked_at is None else looked_at
    infos = reader.instant(selector, at, want=Wanted.TIMESTAMPS)
    return _Enrichment(wanted, base, infos).run()


class _Enrichment:
    def __init__(self, wanted: _Wanted, base: StepVector, infos: StepVector) -> None:
        self.wanted = wanted
        self.base = base
        self.infos = infos
        if infos.has_histograms:
            raise EvaluationError("info sample should be float")
        self.by_key: dict[tuple[str, ...], dict[str, list[int]]] = {}
        for row, labels in enumerate(infos.labels):
            names = self.by_key.setdefault(key_with(labels, _IDENTIFYING), {})
            names.setdefault(labels.get(METRIC_NAME, ""), []).append(row)
        self.rows: list[int] = []
        self.labels: list[Labels] = []
        self.present: list[BoolArray] = []

    def run(self) -> StepVector:
        for row, labels in enumerate(self.base.labels):
            key = key_with(labels, _IDENTIFYING)
            if self.wanted.is_info(labels):
                self._add(row, labels, self.base.present[row])
            else:
                self._match(row, labels, self.by_key.get(key, {}) if any(key) else {})
        if not self.rows:
            return empty_vector(self.base.steps)
        return StepVector(
            labels=tuple(self.labels),
            values=self.base.values[self.rows],
            present=np.stack(self.present),
            drop_name=self.base.drop_name[self.rows],
            histograms=None if self.base.histograms is None else self.base.histograms[self.rows],
        ).merged()

    def _match(self, row: int, labels: Labels, names: dict[str, list[int]]) -> None:
        """Add one series per combination of info series that held at some steps."""
        present = self.base.present[row]
        if not names:
            if not self.wanted.requires_match:
                self._add(row, labels, present)
            return
        chosen = np.stack([self._latest(rows, present) for rows in names.values()])
        for combination in np.unique(chosen[:, present], axis=1).T:
            held = present & (chosen == combination[:, None]).all(axis=0)
            matched = [self.infos.labels[info] for info in combination.tolist() if info != _NONE]
            if matched or not self.wanted.requires_match:
                self._add(row, self._combined(labels, matched), held)

    def _latest(self, rows: list[int], needed: BoolArray) -> Int64Array:
        """Return the info series with the newest sample at each step, -1 where none has one."""
        sampled = np.where(self.infos.present[rows], self.infos.values[rows], -np.inf)
        newest = sampled.max(axis=0)
        is_newest = (sampled == newest) & self.infos.present[rows]
        doubled = (is_newest.sum(axis=0) > 1) & needed
        if doubled.any():
            pair = np.flatnonzero(is_newest[:, int(np.argmax(doubled))])[:2]
            first, second = (format_labels(self.infos.labels[rows[one]]) for one in pair)
            raise EvaluationError(f"found duplicate series for info metric: {first}, {second}")
        picked = np.array(rows, dtype=np.int64)[is_newest.argmax(axis=0)]
        return np.where(is_newest.any(axis=0), picked, _NONE)

    def _combined(self, labels: Labels, matched: list[Labels]) -> Labels:
        added: dict[str, str] = {}
        for info in matched:
            for name, value in self.wanted.picked(info).items():
                if name in labels:
                    continue
                if added.setdefault(name, value) != value:
                    raise EvaluationError(f"conflicting label: {name}")
        return {**labels, **added}

    def _add(self, row: int, labels: Labels, present: BoolArray) -> None:
        self.rows.append(row)
        self.labels.append(labels)
        self.present.append(present)
