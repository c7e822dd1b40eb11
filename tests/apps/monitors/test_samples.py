"""Names, labels and times of samples, and the end of series."""

from typing import Any, cast

import pytest

from apps.monitors.services.plans import _host_of
from apps.monitors.services.samples import (
    base_labels,
    instance_of,
    result_samples,
    sample_time_ms,
    series_end,
)
from apps.monitors.services.states import Policy, Standing, next_step
from detectviz.contracts.collector import Metric
from detectviz.contracts.types import CheckState, PluginKind
from detectviz.testing.plugins import built_in_plugins
from detectviz.tsdb.interface import Sample, SeriesStore
from tests.factories.monitors import START, make_result
from tests.factories.series import RecordingStore


@pytest.mark.parametrize(
    ("collector", "config", "instance", "host", "is_tls"),
    [
        ("http", {"url": "https://u:p@a.org:8443/x"}, "https://a.org:8443/x", "a.org", True),
        ("http", {"url": "http://a.org/@b", "verify": True}, "http://a.org/@b", "a.org", False),
        ("http", {"url": "http://a.org?m=x@y"}, "http://a.org?m=x@y", "a.org", False),
        ("tcp", {"host": "db", "port": 5432}, "db:5432", "db", False),
        ("tls", {"host": "::1", "port": 443, "verify": True}, "[::1]:443", "::1", True),
        ("ping", {"host": "::1"}, "::1", "::1", False),
        ("ping", {"host": "10.0.0.1"}, "10.0.0.1", "10.0.0.1", False),
        ("dns", {"query_name": "a.org", "port": 53}, "a.org", "a.org", False),
        ("push", {"period": "1h"}, "", "", False),
    ],
)
def test_every_collector_points_at_its_target(
    collector: str, config: dict[str, Any], instance: str, host: str, is_tls: bool
) -> None:
    schema = built_in_plugins().manifest(PluginKind.COLLECTOR, collector).config_schema
    assert instance_of(schema, config) == instance
    assert _host_of(instance, config) == (host, is_tls)


def test_own_labels_keep_valid_names_and_never_replace_reserved_ones() -> None:
    labels = {"team": "web", "monitor": "x", "__meta": "x", "app.kubernetes.io/name": "x", "e": ""}
    assert base_labels(
        name="home", type_name="http", instance="i", location="default", labels=labels
    ) == {
        "team": "web",
        "monitor": "home",
        "type": "http",
        "instance": "i",
        "location": "default",
    }


def test_labels_of_a_metric_win_over_own_labels_and_lose_to_reserved_ones() -> None:
    metric = Metric(name="m", value=1, labels={"phase": "tls", "monitor": "x"})
    result = make_result("up", metrics=(metric, Metric(name="probe_success", value=7)))
    step = next_step(Standing(state=CheckState.UP, since=START), result, Policy(), at=START)
    base = {"monitor": "home", "phase": "own"}
    samples = list(result_samples(base=base, result=result, step=step, timestamp_ms=5))
    assert [sample.value for sample in samples] == [1.0, 1.0, 0.02, 1.0]
    assert samples[-1].labels == {"__name__": "m", "monitor": "home", "phase": "tls"}


@pytest.mark.parametrize(("late_ms", "expected"), [(0, 0), (50, 0), (51, 51), (-3, -3)])
def test_samples_of_a_punctual_check_stand_on_its_slot(late_ms: int, expected: int) -> None:
    assert sample_time_ms(slot_ms=1000, started_at_ms=1000 + late_ms) == 1000 + expected


def test_ending_series_marks_the_monitors_own_and_no_others() -> None:
    store = RecordingStore()
    series = [
        {"__name__": "probe_success", "monitor": "home", "type": "http"},
        {"__name__": "probe_state", "monitor": "home", "type": "http"},
        {"__name__": "probe_state", "monitor": "other", "type": "http"},
        {"__name__": "foreign", "monitor": "home"},
    ]
    store.append("t", [Sample(labels, 0, 1.0) for labels in series])
    ended = series_end(store=cast("SeriesStore", store), tenant="t", monitor="home", now=START)
    assert ended == 2
    assert [sample.labels for sample in store.samples["t"][4:]] == series[:2]
