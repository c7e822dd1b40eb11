"""The Influx doors."""

import base64
import gzip
from typing import Any, cast

import pytest
from django.test import Client

from apps.orgs.models import Org
from apps.series.services import series_store, series_store_use
from detectviz.clock import to_ms, utc_now
from detectviz.tsdb.interface import Matcher, MatchOp, RateLimitedError, SeriesStore
from tests.factories.series import RefusingStore

NOW = to_ms(utc_now())
V1, V2 = "/orgs/acme/influx/write", "/orgs/acme/influx/api/v2/write"


def push(address: str, authorization: str, body: bytes, **headers: str) -> Any:
    sent = {"Authorization": authorization} | headers
    return Client().post(address, body, "text/plain; charset=utf-8", headers=sent)


def stored(org: Org, name: str) -> list[float]:
    matcher = Matcher("__name__", MatchOp.EQUAL, name)
    found = series_store().select(org.uid, [matcher], 0, 2**50)
    return [float(value) for value in found.values]


@pytest.mark.parametrize(
    "address", [f"{V1}?db=x&precision=ms", f"{V2}?org=a&bucket=b&precision=ms"]
)
@pytest.mark.parametrize("scheme", ["Token {}", "Token telegraf:{}", "Bearer {}", "Basic"])
def test_lines_are_stored(org: Org, key: str, address: str, scheme: str) -> None:
    pair = base64.b64encode(f"telegraf:{key}".encode()).decode()
    authorization = f"Basic {pair}" if scheme == "Basic" else scheme.format(key)
    answer = push(address, authorization, f"cpu,host=a usage=1.5 {NOW}".encode())
    assert (answer.status_code, answer.content) == (204, b"")
    assert stored(org, "cpu_usage") == [1.5]


def test_gzip_is_unpacked(org: Org, key: str) -> None:
    body = gzip.compress(f"cpu usage=1.5 {NOW}".encode())
    answer = push(f"{V2}?precision=ms", f"Token {key}", body, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 204
    assert stored(org, "cpu_usage") == [1.5]


def test_a_wrong_line_is_told_in_influx_words_and_the_rest_is_stored(org: Org, key: str) -> None:
    answer = push(f"{V2}?precision=ms", f"Token {key}", f"cpu usage=2 {NOW}\nbroken".encode())
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert "line 2: there are no fields" in answer.json()["message"]
    assert answer.json()["error"].startswith("partial write: 1 of 2 samples refused")
    assert stored(org, "cpu_usage") == [2.0]


@pytest.mark.parametrize("query", ["u=a&p=dv_x", "p=dv_x"])
def test_secrets_in_the_address_are_refused(org: Org, key: str, query: str) -> None:
    answer = push(f"{V1}?db=x&{query}", f"Token {key}", b"cpu usage=1")
    assert answer.status_code == 400
    assert "would end up in logs" in answer.json()["error"]
    assert push(f"{V1}?{query}", "", b"cpu usage=1").status_code == 401


def test_failures_are_influx_errors(org: Org, key: str) -> None:
    assert push(V2, "Token dv_1_2", b"m f=1").json()["code"] == "unauthorized"
    assert push(f"{V2}?precision=x", f"Token {key}", b"m f=1").json()["code"] == "invalid"
    limited = RateLimitedError("too fast", retry_after_s=7.0)
    series_store_use(cast("SeriesStore", RefusingStore(limited)))
    answer = push(V2, f"Token {key}", b"m f=1")
    assert (answer.status_code, answer["Retry-After"]) == (429, "7")
    assert answer.json()["code"] == "too many requests"


def test_ping_answers_members_only(org: Org, key: str) -> None:
    headers = {"Authorization": f"Token {key}"}
    assert Client().get("/orgs/acme/influx/ping", headers=headers).status_code == 204
    assert Client().get("/orgs/acme/influx/ping").status_code == 401


def test_the_token_scheme_opens_no_other_door(org: Org, key: str) -> None:
    answer = push("/orgs/acme/otlp/v1/metrics", f"Token {key}", b"")
    assert answer.status_code == 401
