"""Exemplars of an org's series."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import models

from apps.series.models import Exemplar
from detectviz.tsdb.interface import METRIC_NAME, Matcher, MatchOp
from detectviz.tsdb.matching import compile_matcher

MOST_READ = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesExemplars:
    """The exemplars of one series in order of time: (labels, value as text, Unix ms)."""

    labels: dict[str, str]
    exemplars: list[tuple[dict[str, str], str, int]]


def exemplar_list(
    org: models.Model, *, selectors: Iterable[Sequence[Matcher]], start_ms: int, end_ms: int
) -> list[SeriesExemplars]:
    """Return the exemplars of series that one of the selectors matches, ordered by series.

    The newest 10,000 of the range are looked at for each selector. Raise StoreError for a
    matcher that is no valid expression.
    """
    found: dict[str, SeriesExemplars] = {}
    seen: set[int] = set()
    for matchers in selectors:
        for row in _rows(org, matchers, start_ms, end_ms):
            if row.pk not in seen:
                seen.add(row.pk)
                series = found.setdefault(
                    row.key_digest, SeriesExemplars(labels=row.labels, exemplars=[])
                )
                series.exemplars.append((row.exemplar_labels, row.value, row.timestamp_ms))
    for series in found.values():
        series.exemplars.sort(key=lambda one: one[2])
    return sorted(found.values(), key=lambda series: sorted(series.labels.items()))


def _rows(
    org: models.Model, matchers: Sequence[Matcher], start_ms: int, end_ms: int
) -> list[Exemplar]:
    rows = Exemplar.objects.for_org(org).filter(
        timestamp_ms__gte=start_ms, timestamp_ms__lte=end_ms
    )
    for matcher in matchers:
        if matcher.name == METRIC_NAME and matcher.op is MatchOp.EQUAL:
            rows = rows.filter(metric=matcher.value)
    tests = [(matcher.name, compile_matcher(matcher)) for matcher in matchers]
    return [
        row
        for row in rows.order_by("-timestamp_ms")[:MOST_READ]
        if all(test.matches(row.labels.get(name, "")) for name, test in tests)
    ]
