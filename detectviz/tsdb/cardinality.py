"""What makes a tenant's series many, counted as Prometheus' ``status/tsdb`` counts."""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping

from detectviz.tsdb.interface import METRIC_NAME, Cardinality

LabelCounts = Mapping[str, Mapping[str, int]]  # series by label name and value


def cardinality_of(
    counts: LabelCounts,
    *,
    series: int,
    limit: int,
    active: int | None = None,
    oldest_ms: int | None = None,
    newest_ms: int | None = None,
) -> Cardinality:
    """Make the lists, ``limit`` entries each, from the number of series per label and value."""
    sizes = {
        name: sum(len(value.encode()) * number for value, number in values.items())
        for name, values in counts.items()
    }
    pairs = (
        (f"{name}={value}", number)
        for name, values in counts.items()
        for value, number in values.items()
    )
    return Cardinality(
        series=series,
        active=active,
        label_pairs=sum(map(len, counts.values())),
        series_by_metric=largest(counts.get(METRIC_NAME, {}).items(), limit),
        values_by_label=largest(((name, len(values)) for name, values in counts.items()), limit),
        bytes_by_label=largest(sizes.items(), limit),
        series_by_pair=largest(pairs, limit),
        oldest_ms=oldest_ms,
        newest_ms=newest_ms,
    )


def label_counts(label_sets: Iterable[Mapping[str, str]]) -> dict[str, Counter[str]]:
    """Count the series by label name and value."""
    counts: dict[str, Counter[str]] = {}
    for labels in label_sets:
        for name, value in labels.items():
            counts.setdefault(name, Counter())[value] += 1
    return counts


def largest(items: Iterable[tuple[str, int]], limit: int) -> tuple[tuple[str, int], ...]:
    """Return the ``limit`` entries with the highest numbers; equals are ordered by name."""
    return tuple(heapq.nsmallest(limit, items, key=lambda item: (-item[1], item[0])))
