"""Records become documents and rows, and documents records again."""

import json
import math
from dataclasses import replace

import pytest

from detectviz.contracts.errors import PluginError
from detectviz.contracts.record_documents import document_record, record_document, record_row
from detectviz.contracts.records import MetricRecord, Signal
from detectviz.contracts.types import AlertStatus, JsonObject
from detectviz.testing.records import RECORDS, make_alert, make_metric, make_row


@pytest.mark.parametrize("signal", list(Signal))
def test_a_record_survives_the_way_through_json(signal: Signal) -> None:
    record = RECORDS[signal](3)
    assert document_record(json.loads(json.dumps(record_document(record)))) == record


def test_a_resolved_alert_keeps_its_end() -> None:
    alert = make_alert(1, AlertStatus.RESOLVED)
    assert document_record(record_document(alert)) == alert


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_lacks_are_texts(value: float) -> None:
    record = replace(make_metric(), value=value)
    document = json.loads(json.dumps(record_document(record), allow_nan=False))
    again = document_record(document)
    assert isinstance(again, MetricRecord)
    assert str(again.value) == str(value)


def test_a_row_has_a_column_for_each_member() -> None:
    row = record_row(make_metric(1, zone="a"))
    assert row == {
        "time": "2026-01-31T08:30:01.000Z",
        "labels.__name__": "requests_total",
        "labels.job": "api",
        "labels.zone": "a",
        "value": 1.0,
        "unit": "",
    }
    assert record_row(make_row(2))["name"] == "row 2"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "signal must be one of"),
        ({"signal": "metrics"}, "This is no record of metrics: KeyError"),
        ({"signal": "metrics", "time": "now", "labels": {}, "value": 1}, "ValueError"),
        ({"signal": "rows", "values": []}, "is no object"),
    ],
)
def test_what_is_no_record_is_refused_with_its_reason(document: JsonObject, reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        document_record(document)
