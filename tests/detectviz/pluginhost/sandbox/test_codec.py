"""Values of the contracts, as JSON and back."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from detectviz.contracts.batches import Batch
from detectviz.contracts.collector import CheckResult, Metric, Scrape, ScrapeTarget
from detectviz.contracts.errors import CertificateError, DeliveryError, NetworkError, PluginError
from detectviz.contracts.exposition.result import Exposition
from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.contracts.histograms import Histogram
from detectviz.contracts.network import Certificate, HttpRequest, TlsReport
from detectviz.contracts.records import LogRecord, MetricRecord
from detectviz.contracts.types import CheckState
from detectviz.pluginhost.sandbox.answers import require_consistent
from detectviz.pluginhost.sandbox.child.codec import Codec, CodecError
from detectviz.pluginhost.sandbox.child.failures import failure_decode, failure_encode

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def there_and_back(hint: Any, value: object) -> Any:
    text = json.dumps(Codec().encode(hint, value))
    return Codec().decode(hint, json.loads(text))


@pytest.mark.parametrize(
    "value",
    [
        CheckResult(
            state=CheckState.DEGRADED,
            message="ä",
            metrics=(Metric(name="a", value=math.inf, labels={"b": "c"}),),
            evidence={"deep": [{"x": None, "y": 1.5, "z": True}]},
        ),
        HttpRequest(url="http://a", headers=(("a", "b"),), body=b"\x00\xff", basic_auth=("u", "p")),
        Batch(
            records=(
                MetricRecord(labels={"__name__": "x"}, timestamp_ms=1, value=2.0),
                LogRecord(timestamp_ms=1, body="text", attributes={"a": [1, "b"]}),
            ),
            cursor={"at": 3},
        ),
        Certificate(subject="s", issuer="i", serial="1", not_before=NOW, not_after=NOW),
    ],
)
def test_values_come_back_equal(value: object) -> None:
    assert there_and_back(type(value), value) == value


def test_columns_come_back_with_their_types() -> None:
    exposition = Exposition(
        series=(b"a ", b"\xff "),
        owners=np.array([0, 1], dtype=np.int64),
        values=np.array([1.5, math.nan]),
        histograms=np.array([None, Histogram(count=1, sum=2)], dtype=object),
    )
    target = ScrapeTarget(discovered_labels={})
    back = there_and_back(Scrape, Scrape(target=target, exposition=exposition)).exposition
    assert back.series == exposition.series
    assert (back.owners.dtype, back.values.dtype) == (np.int64, np.float64)
    assert back.values[0] == 1.5
    assert math.isnan(back.values[1])
    assert back.histograms[1] == Histogram(count=1, sum=2)


def test_the_fields_of_a_frame_may_be_arrays_or_lists() -> None:
    frame = Frame(
        fields=(
            Field(name="t", type=FieldType.TIME, values=np.arange(3)),  # type: ignore[arg-type] # the contract allows arrays
            Field(name="s", type=FieldType.STRING, values=("a", None, "c")),
        )
    )
    back = there_and_back(Frame, frame)
    assert back.fields[0].values.tolist() == [0, 1, 2]
    assert list(back.fields[1].values) == ["a", None, "c"]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"state": "fine", "message": ""},
        {"state": "up", "message": 3},
        {"state": "up", "message": "", "more": 1},
        {"state": "up", "message": "", "metrics": [{"name": "a", "value": "1"}]},
        {"state": "up", "message": "", "metrics": [{"name": "a", "value": True}]},
        {"state": "up", "message": "", "scrapes": [{"exposition": {}}]},
    ],
)
def test_what_is_no_result_is_refused(wrong: Any) -> None:
    with pytest.raises(CodecError):
        Codec().decode(CheckResult, wrong)


@pytest.mark.parametrize("dtype", ["O", "V8", "U9", "|O", "nonsense", "datetime64[s]"])
def test_arrays_are_of_numbers(dtype: str) -> None:
    with pytest.raises(CodecError):
        Codec().decode(
            Exposition, {"series": [], "owners": {"dtype": dtype, "data": ""}, "values": {}}
        )


def test_a_sample_belongs_to_a_series() -> None:
    exposition = Exposition(series=(b"a ",), owners=np.array([7]), values=np.array([1.0]))
    scrape = Scrape(target=ScrapeTarget(discovered_labels={}), exposition=exposition)
    with pytest.raises(CodecError, match="belongs to no series"):
        require_consistent(CheckResult(state=CheckState.UP, message="", scrapes=(scrape,)))


@pytest.mark.parametrize(
    "error",
    [
        PluginError("a", permanent=True),
        NetworkError("b", phase="tls"),
        CertificateError("c", report=TlsReport(version="1.3", cipher="x", verified=False)),
        DeliveryError("d", reason="rateLimited", status_code=429, retry_after_s=3.0),
    ],
)
def test_errors_of_the_contracts_come_back_whole(error: PluginError) -> None:
    back = failure_decode(json.loads(json.dumps(failure_encode(error))))
    assert type(back) is type(error)
    assert vars(back) == vars(error)


def test_other_errors_are_plugin_errors_with_their_words() -> None:
    assert "ValueError: x" in failure_decode(failure_encode(ValueError("x"))).message
    assert type(failure_decode({"data": {"type": "SystemExit", "fields": {}}})) is PluginError
