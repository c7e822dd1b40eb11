"""Queries as Prometheus' clients send them."""

import threading
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from apps.series.selectors.queries import QueryOptions, query_instant
from detectviz.promql.errors import QueryCancelledError
from tests.factories.queries import NOW_S, Asker

RANGE = {"start": NOW_S, "end": NOW_S + 60, "step": 30}


def test_an_instant_query_answers_in_prometheus_shape(asker: Asker) -> None:
    asker.put(1, job="api")
    asker.put(0.5, job="web")
    expected = {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {"metric": {"__name__": "up", "job": "api"}, "value": [NOW_S, "1"]},
                {"metric": {"__name__": "up", "job": "web"}, "value": [NOW_S, "0.5"]},
            ],
        },
    }
    assert asker.get("query", query="up", time=NOW_S) == expected
    assert asker.post("query", query="up", time="2023-11-14T22:13:20Z") == expected
    assert asker.get("query", query="up", time="2023-11-14T23:13:20.000+01:00") == expected


def test_a_range_query_answers_in_prometheus_shape(asker: Asker) -> None:
    asker.put(1, job="api")
    found = asker.get("query_range", query="up", **RANGE)["data"]
    points = [[NOW_S, "1"], [NOW_S + 30, "1"], [NOW_S + 60, "1"]]
    assert found == {
        "resultType": "matrix",
        "result": [{"metric": {"__name__": "up", "job": "api"}, "values": points}],
    }
    assert (
        asker.post("query_range", query="up", start=NOW_S, end=NOW_S + 60, step="30s")["data"]
        == found
    )


@pytest.mark.parametrize(
    ("path", "parameters", "reason"),
    [
        ("query", {"query": ""}, 'invalid parameter "query": 1:1: parse error: no expression'),
        ("query", {"query": "up{"}, 'invalid parameter "query": 1:4: parse error'),
        ("query", {"query": "up", "time": "soon"}, 'cannot parse "soon" to a valid timestamp'),
        ("query", {"query": "up", "time": "NaN"}, 'cannot parse "NaN" to a valid timestamp'),
        ("query", {"query": "up", "time": "1e300"}, "to a valid timestamp"),
        ("query", {"query": "up", "timeout": "1x"}, 'cannot parse "1x" to a valid duration'),
        ("query", {"query": "up", "timeout": "-1"}, "must not be negative"),
        ("query", {"query": "up", "lookback_delta": "x"}, "lookback delta duration"),
        ("query", {"query": "up", "lookback_delta": "0"}, "lookback delta"),
        ("query", {"query": "up", "limit": "-1"}, "limit must be non-negative"),
        ("query", {"query": "up", "limit": "many"}, 'parsing "many": invalid syntax'),
        ("query_range", {"query": "up"}, 'invalid parameter "start"'),
        ("query_range", {"query": "up", **RANGE, "end": 0}, 'invalid parameter "end": end time'),
        ("query_range", {"query": "up", **RANGE, "step": 0}, "zero or negative query resolution"),
        ("query_range", {"query": "up", **RANGE, "step": 0.001}, "11,000 points per timeseries"),
        ("query_range", {"query": "up[5m]", **RANGE}, "must be Scalar or instant Vector"),
        ("query_exemplars", {"query": "up("}, 'invalid parameter "query"'),
        ("format_query", {"query": "up("}, 'invalid parameter "query"'),
        ("parse_query", {"query": "up("}, 'invalid parameter "query"'),
        ("series", {}, "no match[] parameter provided"),
        ("series", {"match": "up("}, 'invalid parameter "match[]"'),
        ("series", {"match": "up offset 5m"}, "is no series selector"),
        ("series", {"match": "rate(up[5m])"}, "is no series selector"),
        ("series", {"match": "up", "start": 2, "end": 1}, "must not be before start time"),
        ("labels", {"limit": "1.5"}, "invalid syntax"),
        ("status/tsdb", {"limit": 100_000}, "must not exceed"),
    ],
)
def test_bad_input_is_bad_data(
    asker: Asker, path: str, parameters: dict[str, Any], reason: str
) -> None:
    answer = asker.get(path, status=400, **parameters)
    assert (answer["status"], answer["errorType"]) == ("error", "bad_data")
    assert reason in answer["error"]


def test_as_many_steps_as_prometheus_answers(asker: Asker) -> None:
    span = {"start": str(NOW_S), "end": str(NOW_S + 11_000), "step": "1"}
    found = asker.get("query_range", **span, query="1")["data"]["result"]  # type: ignore[arg-type]  # parameters, not the status
    assert len(found[0]["values"]) == 11_001


def test_no_text_holds_nul(asker: Asker) -> None:
    assert "NUL" in asker.post("query", status=400, query="a\0b")["error"]


def test_what_has_no_answer_is_an_execution_error(asker: Asker) -> None:
    asker.put(1, job="api")
    asker.put(2, job="web")
    answer = asker.get("query", status=422, query="up * on() up", time=NOW_S)
    assert answer["errorType"] == "execution"
    assert "found duplicate series" in answer["error"] or "many-to-many" in answer["error"]


def test_a_query_beyond_its_samples_is_refused(asker: Asker, settings: Settings) -> None:
    settings.QUERY_MAX_SAMPLES = 3
    for number in range(5):
        asker.put(number, n=str(number))
    answer = asker.get("query", status=422, query="up", time=NOW_S)
    assert "too many samples" in answer["error"]


def test_a_query_beyond_its_time_is_a_timeout(asker: Asker) -> None:
    asker.put(1)
    answer = asker.get("query", status=503, query="up", time=NOW_S, timeout="0.000000001")
    assert answer["errorType"] == "timeout"
    assert asker.get("query", status=503, query="up", time=NOW_S, timeout="0s") == answer


def test_a_query_nobody_waits_for_ends(asker: Asker) -> None:
    gone = threading.Event()
    gone.set()
    asker.put(1)
    with pytest.raises(QueryCancelledError):
        query_instant(tenant=asker.org.uid, promql="up", at_ms=0, options=QueryOptions(gone=gone))


def test_a_limit_cuts_with_a_warning(asker: Asker) -> None:
    for number in range(3):
        asker.put(number, n=str(number))
    for answer in (
        asker.get("query", query="up", time=NOW_S, limit=2)["data"]["result"],
        asker.get("query_range", query="up", limit=2, **RANGE)["data"]["result"],
        asker.get("series", match="up", limit=2)["data"],
        asker.get("label/n/values", limit=2)["data"],
    ):
        assert len(answer) == 2
    cut = asker.get("labels", limit=1)
    assert cut["warnings"] == ["results truncated due to limit"]
    assert "warnings" not in asker.get("query", query="up", time=NOW_S, limit=3)


def test_the_lookback_is_as_asked(asker: Asker) -> None:
    asker.put(1)
    later = NOW_S + 60
    assert asker.get("query", query="up", time=later)["data"]["result"]
    assert not asker.get("query", query="up", time=later, lookback_delta="30s")["data"]["result"]


def test_statistics_come_when_asked_for(asker: Asker) -> None:
    asker.put(1)
    assert "stats" not in asker.get("query", query="up", time=NOW_S)["data"]
    stats = asker.get("query", query="up", time=NOW_S, stats="all")["data"]["stats"]
    assert stats["samples"]["totalQueryableSamples"] > 0
    assert stats["timings"]["execTotalTime"] > 0


def test_remarks_of_the_engine_are_infos(asker: Asker) -> None:
    asker.put(1, at_s=NOW_S - 60, __name__="requests")
    asker.put(2, __name__="requests")
    (info,) = asker.get("query", query="rate(requests[5m])", time=NOW_S)["infos"]
    assert "might not be a counter" in info


def test_expressions_are_formatted_and_taken_apart(asker: Asker) -> None:
    assert asker.get("format_query", query="sum(up)by(job)>1")["data"] == "sum by (job) (up) > 1"
    tree = asker.post("parse_query", query="sum by (job) (rate(up{a!='b'}[5m] offset 1m)) > 1")
    assert tree["data"]["type"] == "binaryExpr"
    window = tree["data"]["lhs"]["expr"]["args"][0]
    assert window == {
        "type": "matrixSelector",
        "name": "up",
        "range": 300_000,
        "offset": 60_000,
        "matchers": [
            {"name": "a", "value": "b", "type": "!="},
            {"name": "__name__", "value": "up", "type": "="},
        ],
        "timestamp": None,
        "startOrEnd": None,
    }


@pytest.mark.parametrize(
    "promql",
    [
        "topk(1, up) + on(a) group_left(b) (down @ start())",
        "-up and up",
        "label_replace(up, 'a', '$1', 'b', '(.*)')",
        "max_over_time(up[5m:1m] @ 10)",
        "quantile(0.5, (up)) or vector(1)",
    ],
)
def test_every_kind_of_node_has_a_shape(asker: Asker, promql: str) -> None:
    assert asker.get("parse_query", query=promql)["data"]["type"]


def test_a_query_that_selects_too_many_series_is_refused(asker: Asker, settings: Settings) -> None:
    settings.QUERY_MAX_SERIES = 5
    for number in range(3):
        asker.put(number, n=str(number))
    assert asker.get("query", query="up", time=NOW_S)["status"] == "success"
    answer = asker.get("query", status=422, query="up + up", time=NOW_S)
    assert answer["errorType"] == "execution"
    assert answer["error"] == "the query exceeded the maximum number of series (limit: 5 series)"


def test_a_query_that_selects_too_many_bytes_is_refused(asker: Asker, settings: Settings) -> None:
    settings.QUERY_MAX_BYTES = 40
    asker.put(1, n="1")
    assert asker.get("query", query="up + up", time=NOW_S)["status"] == "success"
    answer = asker.get("query", status=422, query="up + up + up", time=NOW_S)
    assert answer["error"] == (
        "the query exceeded the aggregated size of selected samples (limit: 40 bytes)"
    )


def test_without_an_engine_behind_it_the_store_is_no_backend(asker: Asker) -> None:
    asker.put(1)
    answer = asker.get("query", status=422, query="up", time=NOW_S, engine="backend")
    assert answer["error"] == "the series store has no engine of its own to evaluate this query"
    assert asker.get("query_range", status=422, query="up", engine="backend", **RANGE) == answer
    assert asker.get("query", query="up", time=NOW_S, engine="own")["status"] == "success"
    asker.get("query", status=400, query="up", time=NOW_S, engine="other")
    asker.get("query", status=400, query="up", time=NOW_S, engine="backend", lookback_delta="1m")
