"""The doors for text: VictoriaMetrics' import and a Pushgateway's groups."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from apps.orgs.models import Org
from apps.series.selectors.metadata import metadata_list
from apps.series.services import series_store
from detectviz.clock import to_ms, utc_now
from detectviz.tsdb.interface import Matcher, MatchOp

NOW = to_ms(utc_now())
IMPORT = "/orgs/acme/prometheus/api/v1/import/prometheus"
GROUP = "/orgs/acme/metrics/job/nightly/instance/db-1"


def push(key: str, address: str, body: bytes, content_type: str = "", method: str = "POST") -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    return Client().generic(method, address, body, content_type, headers=headers)


def stored(org: Org, name: str) -> list[tuple[Mapping[str, str], float]]:
    matcher = Matcher("__name__", MatchOp.EQUAL, name)
    found = series_store().select(org.uid, [matcher], 0, 2**50)
    return [
        ({k: v for k, v in labels.items() if k != "__name__"}, float(found.values[place]))
        for place, labels in zip(found.offsets.tolist(), found.labels, strict=False)
    ]


def exposed(kind: str) -> tuple[bytes, str]:
    registry = CollectorRegistry()
    counter = Counter("jobs", "Jobs done.", ["kind"], registry=registry)
    counter.labels("a").inc(3, exemplar={"trace_id": "t"})
    if kind == "text":
        return generate_latest(registry), CONTENT_TYPE_LATEST
    generate: Any = openmetrics.generate_latest  # untyped
    return generate(registry), openmetrics.CONTENT_TYPE_LATEST


@pytest.mark.parametrize("kind", ["text", "openmetrics"])
def test_what_the_public_client_exposes_is_stored(org: Org, key: str, kind: str) -> None:
    answer = push(key, IMPORT, *exposed(kind))
    assert answer.status_code == 204, answer.content
    assert stored(org, "jobs_total") == [({"kind": "a"}, 3.0)]
    types = {one.metric: one.type for one in metadata_list(org)}
    assert "counter" in (types.get("jobs"), types.get("jobs_total"))


def test_a_line_may_have_its_time_and_no_content_type_means_text(org: Org, key: str) -> None:
    assert push(key, IMPORT, f"load 1.5 {NOW - 1000}\n".encode()).status_code == 204
    assert stored(org, "load") == [({}, 1.5)]


def test_a_broken_body_is_refused_with_its_line(org: Org, key: str) -> None:
    answer = push(key, IMPORT, b'ok 1\nbroken{a="b} 1\n')
    assert answer.status_code == 400
    assert b"line 2" in answer.content
    assert stored(org, "ok") == []


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_group_gives_its_labels_and_its_time(org: Org, key: str, method: str) -> None:
    answer = push(key, GROUP, b'done{job="mine",step="1"} 7\n', method=method)
    assert answer.status_code == 200
    labels = {"job": "nightly", "instance": "db-1"}
    assert stored(org, "done") == [({**labels, "step": "1"}, 7.0)]
    ((found, at),) = stored(org, "push_time_seconds")
    assert found == labels
    assert at * 1000 >= NOW


def test_values_may_be_base64(org: Org, key: str) -> None:
    address = "/orgs/acme/metrics/job@base64/YS9i/path@base64/="
    assert push(key, address, b"done 1\n").status_code == 200
    assert stored(org, "done") == [({"job": "a/b"}, 1.0)]


@pytest.mark.parametrize(
    ("address", "body", "words"),
    [
        (f"{GROUP}/odd", b"done 1\n", b"name/value pairs"),
        (f"{GROUP}/job/again", b"done 1\n", b"there twice"),
        ("/orgs/acme/metrics/job@base64/%25", b"done 1\n", b"base64"),
        (f"{GROUP}/__name__/x", b"done 1\n", b"can't be a grouping label"),
        (GROUP, b"done 1 1000\n", b"times of their own"),
        (GROUP, b"{", b"line 1"),
    ],
)
def test_what_a_group_cannot_be(
    org: Org, key: str, address: str, body: bytes, words: bytes
) -> None:
    answer = push(key, address, body)
    assert answer.status_code == 400
    assert words in answer.content


def test_a_group_is_not_deleted(org: Org, key: str) -> None:
    assert push(key, GROUP, b"", method="DELETE").status_code == 405
