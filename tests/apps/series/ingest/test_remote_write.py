"""The remote write door, over a real store."""

import base64
from typing import Any, cast

import cramjam
import pytest
from django.test import Client

from apps.accounts.models import User
from apps.orgs.models import Org
from apps.series.selectors.metadata import metadata_list
from apps.series.services import series_store, series_store_use
from detectviz.clock import to_ms, utc_now
from detectviz.tsdb.interface import (
    Matcher,
    MatchOp,
    RateLimitedError,
    SeriesStore,
    StoreError,
)
from tests.factories.accounts import make_api_key
from tests.factories.prompb import V1, V2, RequestV2, labels_v1, snappy
from tests.factories.series import RefusingStore, TakingStore

pytestmark = pytest.mark.django_db
V2_TYPE = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
URL = "/orgs/acme/prometheus/api/v1/write"


def push(key: str, body: bytes, content_type: str = "application/x-protobuf", **more: Any) -> Any:
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    } | more
    return Client().post(URL, body, content_type=content_type, headers=headers)


def request_v1(*samples: tuple[str, int, float]) -> bytes:
    series = [
        V1["TimeSeries"](
            labels=labels_v1(name=name), samples=[V1["Sample"](timestamp=time, value=value)]
        )
        for name, time, value in samples
    ]
    return snappy(V1["WriteRequest"](timeseries=series).SerializeToString())


def stored(org: Org, name: str) -> list[float]:
    matcher = Matcher("__name__", MatchOp.EQUAL, name)
    found = series_store().select(org.uid, [matcher], 0, 2**50)
    return [float(value) for value in found.values]


def written(answer: Any) -> list[str]:
    kinds = ("Samples", "Histograms", "Exemplars")
    return [answer[f"X-Prometheus-Remote-Write-{kind}-Written"] for kind in kinds]


NOW = to_ms(utc_now())


def test_version_one_is_stored(org: Org, key: str) -> None:
    answer = push(key, request_v1(("up", NOW, 1.0), ("load", NOW, 0.0)))
    assert (answer.status_code, answer.content) == (204, b"")
    assert written(answer) == ["2", "0", "0"]
    assert (stored(org, "up"), stored(org, "load")) == ([1.0], [0.0])


def test_the_key_may_be_the_password_of_basic_authentication(org: Org, key: str) -> None:
    pair = base64.b64encode(f"prometheus:{key}".encode()).decode()
    answer = push(key, request_v1(("up", NOW, 1.0)), Authorization=f"Basic {pair}")
    assert answer.status_code == 204


def test_version_two_is_stored_with_metadata_histograms_and_exemplars(org: Org, key: str) -> None:
    store = TakingStore()
    series_store_use(cast("SeriesStore", store))
    request = RequestV2()
    exemplar = {"labels_refs": request.refs(trace_id="t"), "value": 1.0, "timestamp": NOW}
    request.add(
        labels_refs=request.refs(name="served_total"),
        samples=[V2["Sample"](value=1.0, timestamp=NOW)],
        exemplars=[exemplar],
        metadata={"type": 1, "help_ref": request.ref("Served.")},
    )
    histogram = {
        "count_int": 1,
        "sum": 1.0,
        "positive_spans": [{"length": 1}],
        "positive_deltas": [1],
        "timestamp": NOW,
    }
    request.add(labels_refs=request.refs(name="h"), histograms=[histogram])
    answer = push(key, snappy(request.encoded()), V2_TYPE)
    assert answer.status_code == 204, answer.content
    assert written(answer) == ["1", "1", "1"]
    assert store.columns[0].histograms is not None
    said = metadata_list(org, metric="served_total")
    assert [(one.type, one.help) for one in said] == [("counter", "Served.")]


def test_what_is_refused_is_named_and_the_rest_is_stored(org: Org, key: str) -> None:
    push(key, request_v1(("up", NOW, 1.0)))
    answer = push(key, request_v1(("up", NOW, 2.0), ("down", NOW, 1.0)))
    assert answer.status_code == 400
    words = answer.content.decode()
    assert words.startswith("1 of 2 samples refused: up{} at "), words
    assert "duplicate sample" in words
    assert written(answer)[0] == "1"
    assert stored(org, "down") == [1.0]


def test_unsorted_and_tenant_labels_are_refused_in_words(org: Org, key: str) -> None:
    series = V1["TimeSeries"](samples=[V1["Sample"](timestamp=NOW)])
    for name in ("b", "a"):
        series.labels.add(name=name, value="1")
    foreign = V1["TimeSeries"](
        labels=labels_v1(name="up", detectviz_tenant="rival"),
        samples=[V1["Sample"](timestamp=NOW)],
    )
    body = snappy(V1["WriteRequest"](timeseries=[series, foreign]).SerializeToString())
    answer = push(key, body)
    assert answer.status_code == 400
    assert b"labels are not sorted" in answer.content
    assert b"detectviz_tenant is reserved" in answer.content


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("application/json", "snappy"),
        ("application/x-protobuf;proto=io.prometheus.write.v3.Request", "snappy"),
        ("application/x-protobuf", "br"),
        ("application/x-protobuf", ""),
    ],
)
def test_what_the_door_does_not_speak_is_415(
    org: Org, key: str, content_type: str, encoding: str
) -> None:
    headers = {"Content-Encoding": encoding}
    answer = push(key, request_v1(("up", NOW, 1.0)), content_type, **headers)
    assert answer.status_code == 415
    assert "X-Prometheus-Remote-Write-Samples-Written" not in answer


@pytest.mark.parametrize("body", [b"\xff\xff\xff\xff\xff", b"plain", snappy(b"\x0a\xff")])
def test_garbage_is_400(org: Org, key: str, body: bytes) -> None:
    assert push(key, body).status_code == 400


def test_a_bomb_is_413_before_it_is_unpacked(org: Org, key: str, settings: Any) -> None:
    settings.INGEST_BODY_BYTES = 10_000
    bomb = bytes(cramjam.snappy.compress_raw(b"\0" * 1_000_000))
    assert len(bomb) > 10_000 or push(key, bomb).status_code == 413
    assert push(key, b"\0" * 10_001).status_code == 413
    promise = b"\xff\xff\xff\xff\x0f" + b"\0" * 10
    assert push(key, promise).status_code == 413


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (RateLimitedError("too many samples per second", retry_after_s=7.4), 429, "7"),
        (StoreError("the disk is full"), 503, "5"),
        (None, 429, "30"),
    ],
)
def test_limits_are_429_and_faults_503_with_a_time_to_come_back(
    org: Org, key: str, error: StoreError | None, status: int, retry_after: str
) -> None:
    series_store_use(cast("SeriesStore", RefusingStore(error)))
    answer = push(key, request_v1(("up", NOW, 1.0)))
    assert (answer.status_code, answer["Retry-After"]) == (status, retry_after)


def test_a_fault_that_waiting_does_not_mend_is_400(org: Org, key: str) -> None:
    error = StoreError("the server wants other labels", retryable=False)
    series_store_use(cast("SeriesStore", RefusingStore(error)))
    answer = push(key, request_v1(("up", NOW, 1.0)))
    assert (answer.status_code, "Retry-After" in answer) == (400, False)


def test_a_viewer_may_not_push(org: Org) -> None:
    key = make_api_key(org, User.objects.get(username="acme-admin"), "series:read").token
    answer = push(key, request_v1(("up", NOW, 1.0)))
    assert answer.status_code == 403
    assert b"series:create" in answer.content
