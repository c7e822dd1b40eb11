"""Counters whose samples say since when they count; labels that say what a metric is."""

from collections.abc import Sequence

import numpy as np
import pytest

from detectviz.promql.engine import Engine
from detectviz.promql.results import Result, Vector
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import Sample
from tests.conformance.promql.store import MemoryStore

MINUTE = 60_000
Told = tuple[float, float | None]  # value, since which minute


def histogram(count: float) -> Histogram:
    return Histogram(count=count, sum=count, schema=0, positive_spans=((0, 1),), positive=(count,))


def engine(samples: Sequence[Told], *, native: bool = False, uses: bool = True) -> Engine:
    store = MemoryStore()
    for index, (value, since) in enumerate(samples, 1):
        start_ms = 0 if since is None else round(since * MINUTE)
        labels = {"__name__": "x_total"}
        at = index * MINUTE
        if native:
            one = Sample(labels, at, histogram=histogram(value), start_ms=start_ms)
        else:
            one = Sample(labels, at, value, start_ms=start_ms)
        store.append("acme", [one])
    return Engine(store, uses_start_times=uses)


def number(result: Result) -> float | None:
    assert isinstance(result.value, Vector)
    return float(result.value.values[0]) if len(result.value.labels) else None


RESTARTED: list[Told] = [(5, 0.5), (6, 1.5), (8, 1.5), (9, 3.5)]
DELTAS: list[Told] = [(5, 0.5), (6, 1), (2, 2), (2, 3)]


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    ("samples", "query", "wanted"),
    [
        (RESTARTED, "increase(x_total[4m])", 5 + 6 + 2 + 9),
        (RESTARTED, "rate(x_total[4m])", (5 + 6 + 2 + 9) / 240),
        (DELTAS, "increase(x_total[4m])", 5 + 6 + 2 + 2),
        (RESTARTED, "irate(x_total[4m])", 9 / 60),
        (RESTARTED, "idelta(x_total[4m])", 1.0),
        (RESTARTED, "resets(x_total[4m])", 2.0),
        (RESTARTED, "changes(x_total[4m])", 3.0),
        (DELTAS, "resets(x_total[4m])", 3.0),
        # A single sample is enough if the counter began inside the window.
        (RESTARTED, "increase(x_total[1m])", 9.0),
        (RESTARTED, "increase(x_total[20s])", None),
        (DELTAS, "delta(x_total[1m])", None),
    ],
)
def test_counters_count_from_where_they_say(
    samples: list[Told], query: str, wanted: float | None, *, native: bool
) -> None:
    is_count = native and not query.startswith(("resets", "changes"))
    asked = f"histogram_count({query})" if is_count else query
    found = number(engine(samples, native=native).instant("acme", asked, 4 * MINUTE))
    assert found == (wanted if wanted is None else pytest.approx(wanted))


def test_what_is_unknown_or_impossible_is_no_restart() -> None:
    for since in (None, 2.5, 2.0):  # unknown; in the future; at its own time
        samples: list[Told] = [(5, 0.5), (6, since)]
        found = number(engine(samples).instant("acme", "resets(x_total[5m])", 2 * MINUTE))
        assert found == 0.0
    cumulative: list[Told] = [(5, None), (6, 1)]  # at the sample before, whose start is unknown
    assert number(engine(cumulative).instant("acme", "resets(x_total[5m])", 2 * MINUTE)) == 0.0


def test_start_times_can_be_left_unused() -> None:
    used, unused = (engine(RESTARTED, uses=uses) for uses in (True, False))
    for query in ("resets(x_total[5m])", "start_timestamp(x_total)"):
        assert number(used.instant("acme", query, 4 * MINUTE)) in {2.0, 210.0}
    assert number(unused.instant("acme", "resets(x_total[5m])", 4 * MINUTE)) == 0.0
    assert number(unused.instant("acme", "start_timestamp(x_total)", 4 * MINUTE)) is None


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("start_timestamp(x_total)", 210.0),
        ("start_timestamp(x_total offset 1m)", 90.0),
        ("start_timestamp(x_total @ 60)", 30.0),
        ("start_timestamp((x_total))", 210.0),
        ("start_timestamp(x_total * 1)", None),
        ("start_timestamp(sum(x_total))", None),
    ],
)
def test_the_start_time_of_the_sample_a_selector_finds(query: str, wanted: float | None) -> None:
    result = engine(RESTARTED).instant("acme", query, 4 * MINUTE)
    assert number(result) == wanted
    assert isinstance(result.value, Vector)
    assert all(labels == {} for labels in result.value.labels)


@pytest.mark.parametrize("native", [False, True])
def test_samples_that_overlap_are_warned_of(*, native: bool) -> None:
    samples: list[Told] = [(5, 0.25), (6, 0.5), (7, 0.5)]
    result = engine(samples, native=native).instant("acme", "rate(x_total[5m])", 3 * MINUTE)
    assert [one for one in result.warnings if "start timestamp overlaps" in one]
    proper = engine(DELTAS, native=native).instant("acme", "rate(x_total[5m])", 3 * MINUTE)
    assert not proper.warnings


def typed() -> Engine:
    store = MemoryStore()
    for kind, unit, value in (("counter", "bytes", 3.0), ("gauge", "seconds", 4.0)):
        labels = {"__name__": "x_total", "__type__": kind, "__unit__": unit, "a": kind}
        store.append("acme", [Sample(labels, at, value) for at in (0, MINUTE)])
    return Engine(store)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ('x_total{__type__="gauge"}', [("x_total", "gauge", "seconds", "gauge")]),
        ('-x_total{a="gauge"}', [("", "", "", "gauge")]),
        ('abs(x_total{a="gauge"})', [("", "", "", "gauge")]),
        ('rate(x_total{a="gauge"}[5m])', [("", "", "", "gauge")]),
        ('last_over_time(x_total{a="gauge"}[5m])', [("x_total", "gauge", "seconds", "gauge")]),
        ('x_total{a="gauge"} * 2', [("", "", "", "gauge")]),
        ('x_total{a="gauge"} > 2', [("x_total", "gauge", "seconds", "gauge")]),
        ('x_total{a="gauge"} > bool 2', [("", "", "", "gauge")]),
        ('x_total{a="gauge"} + x_total', [("", "", "", "gauge")]),
        ('x_total{a="gauge"} and x_total', [("x_total", "gauge", "seconds", "gauge")]),
        ('x_total{a="gauge"} == x_total', [("x_total", "gauge", "seconds", "gauge")]),
        ('x_total{a="gauge"} == bool x_total', [("", "", "", "gauge")]),
        ("sum by (__type__) (x_total > 3)", [("", "gauge", "", "")]),
        ("sum without (a) (x_total > 3)", [("", "gauge", "seconds", "")]),
        ("topk(1, x_total)", [("x_total", "gauge", "seconds", "gauge")]),
        ("count(x_total)", [("", "", "", "")]),
        ('x_total{a="gauge"} + on (__unit__) x_total', [("", "", "", "")]),
        (
            'x_total{a="gauge"} * on (a) group_left (__unit__) x_total',
            [("", "", "seconds", "gauge")],
        ),
    ],
)
def test_type_and_unit_go_where_the_name_goes(
    query: str, wanted: list[tuple[str, str, str, str]]
) -> None:
    value = typed().instant("acme", query, MINUTE).value
    assert isinstance(value, Vector)
    names = ("__name__", "__type__", "__unit__", "a")
    assert [tuple(one.get(name, "") for name in names) for one in value.labels] == wanted
    assert np.isfinite(value.values).all()
