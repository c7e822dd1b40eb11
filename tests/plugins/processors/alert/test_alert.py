"""Alerts are enriched, deduplicated and gathered as the operator says."""

from dataclasses import replace
from datetime import datetime, timedelta

from detectviz.contracts.records import AlertRecord, Record
from detectviz.contracts.types import AlertStatus, JsonObject
from detectviz.testing.processors import ProcessorSuite, make_processor_context
from detectviz.testing.records import NOW, make_alert, make_metric
from plugins.processors.alert.processor import AlertProcessor


class TestConformance(ProcessorSuite):
    """Every part of it at once."""

    name = "alert"
    config = {
        "labels": {"team": "web"},
        "dedupe_window": "5m",
        "aggregate_window": "1m",
        "aggregate_by": ["alertname"],
    }


class Stage:
    """One stage of one run, whose clock the test sets."""

    def __init__(self, config: JsonObject) -> None:
        self._config = config
        self._memory: dict[str, object] = {}

    def take(
        self, *records: Record, at: datetime = NOW, is_last: bool = False
    ) -> list[AlertRecord]:
        context = make_processor_context(
            "alert", self._config, memory=self._memory, is_last=is_last, now=lambda: at
        )
        out = AlertProcessor().process(records, context)
        return [record for record in out if isinstance(record, AlertRecord)]


def test_what_an_alert_has_is_not_replaced() -> None:
    stage = Stage(
        {
            "labels": {"team": "web", "severity": "none"},
            "annotations": {"runbook": "https://wiki.example/down", "summary": "?"},
        }
    )
    (alert,) = stage.take(make_alert())
    assert alert.labels["team"] == "web"
    assert alert.labels["severity"] == "critical"
    assert alert.annotations == {"runbook": "https://wiki.example/down", "summary": "m0 is down"}


def test_labels_are_looked_up_by_the_value_of_one() -> None:
    stage = Stage({"lookup_label": "monitor", "lookup": {"m1": {"owner": "anna"}}})
    known, unknown = stage.take(make_alert(1), make_alert(2))
    assert known.labels["owner"] == "anna"
    assert "owner" not in unknown.labels


def test_a_repeated_alert_goes_through_once_in_the_window() -> None:
    stage = Stage({"dedupe_window": "5m"})
    assert len(stage.take(make_alert(), make_alert())) == 1
    assert stage.take(make_alert(), at=NOW + timedelta(minutes=4)) == []
    assert len(stage.take(make_alert(), at=NOW + timedelta(minutes=5))) == 1


def test_a_resolved_alert_is_no_repetition_of_the_firing_one() -> None:
    stage = Stage({"dedupe_window": "5m"})
    assert len(stage.take(make_alert(), make_alert(0, AlertStatus.RESOLVED))) == 2


def test_alerts_are_the_same_by_the_labels_chosen() -> None:
    stage = Stage({"dedupe_window": "5m", "dedupe_by": ["alertname"]})
    assert len(stage.take(make_alert(1), make_alert(2))) == 1


def test_alerts_of_a_group_become_one() -> None:
    stage = Stage({"aggregate_window": "1m", "aggregate_by": ["alertname"]})
    later = replace(make_alert(2), starts_at=NOW + timedelta(minutes=1))
    assert stage.take(make_alert(1), later, make_alert(3, AlertStatus.RESOLVED)) == []
    (alert,) = stage.take(make_metric(), at=NOW + timedelta(minutes=1))
    assert alert.labels == {"alertname": "HomeDown"}
    assert alert.annotations["summary"] == "3 alerts: 2 firing, 1 resolved"
    assert (alert.status, alert.starts_at, alert.value) == (AlertStatus.FIRING, NOW, 2.0)


def test_a_group_of_resolved_alerts_is_resolved() -> None:
    stage = Stage({"aggregate_window": "1m", "aggregate_by": ["alertname"]})
    (alert,) = stage.take(make_alert(1, AlertStatus.RESOLVED), is_last=True)
    assert (alert.status, alert.ends_at) == (AlertStatus.RESOLVED, NOW)
