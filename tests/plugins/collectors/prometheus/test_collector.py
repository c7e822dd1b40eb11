"""Scraping real servers on loopback."""

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from detectviz.contracts.discovery import TargetGroup
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.exposition.series import labels_of
from detectviz.contracts.types import CheckState
from detectviz.testing.http_server import (
    Answer,
    ReceivedRequest,
    TestAuthority,
    http_server,
    json_answer,
)
from detectviz.testing.services import free_port
from tests.plugins.collectors.prometheus.scrapes import (
    OPENMETRICS,
    TEXT,
    FixedTargets,
    Maker,
    address_of,
    exposing,
    only,
    times,
    values,
)

BODY = """# TYPE requests_total counter
requests_total{code="200"} 5
temperature 21.5
"""
REPORTED = {"up", "scrape_samples_scraped", "scrape_series_added"}


def reported(found: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if name in REPORTED}


async def test_a_target_gives_its_samples_with_job_and_instance(make: Maker) -> None:
    with exposing(BODY) as server:
        result = await make(address_of(server), labels={"env": "prod"}).check()
    scrape = only(result)
    found = values(scrape)
    assert found["requests_total{code=200,env=prod}"] == 5
    assert found["temperature{env=prod}"] == 21.5
    assert found["up{env=prod}"] == 1
    assert found["scrape_samples_scraped{env=prod}"] == 2
    assert found["scrape_samples_post_metric_relabeling{env=prod}"] == 2
    assert found["scrape_series_added{env=prod}"] == 2
    assert 0 < found["scrape_duration_seconds{env=prod}"] < 3
    assert labels_of(scrape.exposition.series[0])["instance"] == address_of(server)
    assert labels_of(scrape.exposition.series[0])["job"] == "node"
    assert (result.state, result.message) == (CheckState.UP, "1 of 1 targets are up")


async def test_the_same_series_are_the_same_object_and_only_new_ones_are_added(
    make: Maker,
) -> None:
    with exposing(BODY, BODY.replace("21.5", "22"), BODY + "new 1\n", "broken {") as server:
        monitor = make(address_of(server))
        one, two, three, four = [only(await monitor.check()) for _ in range(4)]
    assert two.exposition.series is one.exposition.series
    assert values(two)["temperature"] == 22
    assert [values(each)["scrape_series_added"] for each in (one, two, three)] == [2, 0, 1]
    assert set(values(four)) == {*(set(values(one)) - {"requests_total{code=200}", "temperature"})}


async def test_state_follows_the_targets_and_the_message_names_the_bad_one(make: Maker) -> None:
    bad = f"127.0.0.1:{free_port()}"
    with exposing(BODY) as server:
        some = await make(address_of(server), bad).check()
        none = await make(bad).check()
    assert (some.state, none.state) == (CheckState.DEGRADED, CheckState.DOWN)
    assert some.message.startswith(f"1 of 2 targets are up; http://{bad}/metrics: connect")
    assert some.scrapes is not None
    assert [values(each)["up"] for each in some.scrapes] == [1, 0]
    assert some.evidence["targets"][0]["error"]  # type: ignore[index,call-overload] # JSON of our own
    assert (await make().check()).state is CheckState.UNKNOWN


async def test_formats_are_negotiated_and_exemplars_kept(make: Maker) -> None:
    body = 'a_total 1 # {trace_id="t"} 0.5\n# EOF\n'
    with exposing(body, content_type=OPENMETRICS) as server:
        monitor = make(
            address_of(server), metric_relabel_configs=[{"action": "drop", "regex": "x"}]
        )
        scrape = only(await monitor.check())
        (request,) = server.requests
    assert request.headers["accept"].startswith("application/openmetrics-text;version=1.0.0")
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["x-prometheus-scrape-timeout-seconds"].startswith("2.")
    assert scrape.exposition.exemplars[0][0].labels == {"trace_id": "t"}


async def test_a_compressed_answer_is_read(make: Maker) -> None:
    headers = (("Content-Type", TEXT), ("Content-Encoding", "gzip"))
    with exposing(Answer(headers=headers, body=gzip.compress(BODY.encode()))) as server:
        assert values(only(await make(address_of(server)).check()))["temperature"] == 21.5


async def test_conflicting_labels_are_renamed_or_honoured(make: Maker) -> None:
    body = 'a{instance="mine",job="own",exported_job="x"} 1\n'
    with exposing(body) as server:
        renamed = only(await make(address_of(server)).check())
        honoured = only(await make(address_of(server), honor_labels=True).check())
    assert labels_of(renamed.exposition.series[0]) == {
        "__name__": "a",
        "job": "node",
        "instance": address_of(server),
        "exported_instance": "mine",
        "exported_job": "x",
        "exported_exported_job": "own",
    }
    assert labels_of(honoured.exposition.series[0])["instance"] == "mine"


async def test_timestamps_are_honoured_and_then_not_tracked_unless_wanted(make: Maker) -> None:
    body = "a 1 1700000000000\nb 2\n"
    with exposing(body) as server:
        address = address_of(server)
        own = only(await make(address).check())
        tracked = only(await make(address, track_timestamps_staleness=True).check())
        ignored = only(await make(address, honor_timestamps=False).check())
    assert times(own) == times(tracked) == [1700000000000]
    assert [labels_of(each)["__name__"] for each in own.untracked] == ["a"]
    assert not tracked.untracked
    assert times(ignored) == []


async def test_series_are_relabelled_and_dropped(make: Maker) -> None:
    rules = [
        {"source_labels": ["__name__"], "regex": "temp.*", "action": "drop"},
        {"source_labels": ["code"], "target_label": "status"},
        {"action": "labeldrop", "regex": "code"},
    ]
    with exposing(BODY) as server:
        found = values(only(await make(address_of(server), metric_relabel_configs=rules).check()))  # type: ignore[arg-type] # JSON of our own
    assert found["requests_total{status=200}"] == 5
    assert found["scrape_samples_scraped"] == 2
    assert found["scrape_samples_post_metric_relabeling"] == 1


async def test_targets_are_relabelled_and_dropped(make: Maker) -> None:
    with exposing(BODY) as server:
        monitor = make(
            relabel_configs=[
                {"source_labels": ["__meta_role"], "regex": "web", "action": "keep"},
                {"source_labels": ["__meta_path"], "target_label": "__metrics_path__"},
                {"source_labels": ["__meta_role"], "target_label": "__param_module"},
            ],
            params={"module": "x", "y": "z"},
        )
        group = TargetGroup(
            targets=(
                {"__address__": address_of(server), "__meta_role": "web", "__meta_path": "/probe"},
                {"__address__": "other:1", "__meta_role": "db"},
            )
        )
        monitor.discoverer = FixedTargets([group])
        result = await monitor.check()
        (request,) = server.requests
    assert (request.path, request.query) == ("/probe", "module=web&y=z")
    scrape = only(result)
    assert scrape.target.url == f"http://{address_of(server)}/probe?module=web&y=z"
    assert scrape.target.discovered_labels["__meta_role"] == "web"
    assert set(scrape.target.labels) == {"job", "instance"}
    assert [each.discovered_labels["__address__"] for each in result.dropped] == ["other:1"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"sample_limit": 1}, "sample_limit exceeded: 2 samples"),
        ({"label_limit": 3}, "label_limit exceeded: requests_total has 4 labels"),
        ({"label_name_length_limit": 7}, "label_name_length_limit exceeded"),
        ({"label_value_length_limit": 8}, "label_value_length_limit exceeded"),
        ({"body_size_limit": "10B"}, "body_size_limit exceeded: more than 10 bytes"),
        ({"target_limit": 1}, "target_limit exceeded: 2 targets, 1 allowed"),
    ],
)
async def test_a_limit_fails_the_scrape(make: Maker, options: dict[str, Any], error: str) -> None:
    with exposing(BODY) as server:
        others = ("127.0.0.1:1",) if "target_limit" in options else ()
        result = await make(address_of(server), *others, **options).check()
    assert result.state is CheckState.DOWN
    assert result.scrapes is not None
    assert error in result.scrapes[0].target.error
    assert values(result.scrapes[0])["up"] == 0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=503), "server returned HTTP status 503 Service Unavailable"),
        (Answer(body=BODY.encode()), "set fallback_scrape_protocol"),
        (Answer(headers=(("Content-Type", "text/html"),)), "set fallback_scrape_protocol"),
        (
            Answer(headers=(("Content-Type", TEXT),), body=b'ok 1\na{b="\xff"} 1\n'),
            "line 2, column 6: not UTF-8",
        ),
        (Answer(headers=(("Content-Type", OPENMETRICS),), body=b"a 1\n"), "expected # EOF"),
    ],
)
async def test_a_wrong_answer_is_told(make: Maker, answer: Answer, error: str) -> None:
    with exposing(answer) as server:
        result = await make(address_of(server)).check()
    assert result.state is CheckState.DOWN
    assert error in only(result).target.error


async def test_a_fallback_reads_what_names_no_format(make: Maker) -> None:
    with exposing(Answer(body=BODY.encode())) as server:
        monitor = make(address_of(server), fallback_scrape_protocol="PrometheusText0.0.4")
        assert (await monitor.check()).state is CheckState.UP


async def test_a_series_that_is_there_twice_is_told(make: Maker) -> None:
    with exposing('a{b="1"} 1\na{b="1"} 2\nc 3\n') as server:
        result = await make(address_of(server)).check()
    assert result.state is CheckState.DEGRADED
    assert "1 samples of series that are there twice" in result.message
    assert 'a{b="1"' in result.message


async def test_a_body_of_ten_megabytes_is_read_or_refused(make: Maker) -> None:
    body = b"".join(
        b'metric_%d{label="some text to make it long"} %d\n' % (i, i) for i in range(1000)
    )
    body += b"# " + b"x" * 10_000_000 + b"\n"
    with exposing(body) as server:
        big = await make(address_of(server)).check()
        small = await make(address_of(server), body_size_limit="5MB").check()
    assert big.state is CheckState.UP
    assert values(only(big))["scrape_samples_scraped"] == 1000
    assert "body_size_limit exceeded" in small.message


@pytest.fixture
def dripping() -> Iterator[str]:
    """The address of a server that sends a byte now and then, and never ends."""
    stopping = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with closing(connection):
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
                while not stopping.wait(0.05):
                    try:
                        connection.sendall(b"a")
                    except OSError:
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        stopping.set()
        thread.join(5)


async def test_a_slow_drip_ends_with_the_timeout_and_holds_up_no_other(
    make: Maker, dripping: str
) -> None:
    with exposing(BODY) as server:
        result = await make(dripping, address_of(server), timeout_s=2.0).check()
    assert result.state is CheckState.DEGRADED
    assert result.scrapes is not None
    assert "timed out" in result.scrapes[0].target.error
    assert result.scrapes[1].target.is_up


async def test_credentials_are_sent(make: Maker) -> None:
    def respond(request: ReceivedRequest) -> Answer:
        is_in = request.headers.get("authorization") in {"Basic bWU6cHc=", "Token t0ken"}
        return Answer(
            status=200 if is_in else 401, headers=(("Content-Type", TEXT),), body=b"a 1\n"
        )

    with http_server(respond) as server:
        address = address_of(server)
        basic = make(
            address,
            secrets={"basic_auth/password": "pw"},
            auth="basic",
            basic_auth={"username": "me"},
        )
        token = make(
            address,
            secrets={"authorization/credentials": "t0ken"},
            auth="authorization",
            authorization={"type": "Token"},
        )
        states = [(await each.check()).state for each in (basic, token, make(address))]
    assert states == [CheckState.UP, CheckState.UP, CheckState.DOWN]


async def test_an_oauth2_token_is_fetched_once_for_all_targets(make: Maker) -> None:
    def respond(request: ReceivedRequest) -> Answer:
        if request.path == "/token":
            return json_answer({"access_token": "granted", "expires_in": 3600})
        is_in = request.headers.get("authorization") == "Bearer granted"
        return Answer(
            status=200 if is_in else 401, headers=(("Content-Type", TEXT),), body=b"a 1\n"
        )

    with http_server(respond) as server:
        monitor = make(
            address_of(server),
            secrets={"oauth2/client_secret": "very-secret"},
            auth="oauth2",
            oauth2={
                "token_url": f"{server.url}/token",
                "client_id": "me",
                "scopes": ["a"],
                "endpoint_params": {"resource": "x"},
            },
        )
        states = [(await monitor.check()).state for _ in range(2)]
    (token,) = [each for each in server.requests if each.path == "/token"]
    assert states == [CheckState.UP, CheckState.UP]
    assert b"scope=a&resource=x" in token.body


async def test_tls_is_verified_against_the_given_authority(
    make: Maker, authority: TestAuthority
) -> None:
    def respond(_: ReceivedRequest) -> Answer:
        return Answer(headers=(("Content-Type", TEXT),), body=b"a 1\n")

    with http_server(respond, tls=authority.server_context()) as server:
        address = address_of(server)
        unknown = await make(address, scheme="https").check()
        known = await make(address, scheme="https", tls_config={"ca": authority.ca_pem}).check()
        any_one = await make(
            address, scheme="https", tls_config={"insecure_skip_verify": True}
        ).check()
    assert [each.state for each in (unknown, known, any_one)] == [
        CheckState.DOWN,
        CheckState.UP,
        CheckState.UP,
    ]
    assert "certificate" in unknown.message


async def test_native_histograms_come_with_protobuf(make: Maker) -> None:
    # A histogram of one observation in bucket 0 of schema 0, as MetricFamily on the wire.
    histogram = bytes.fromhex("0801110000000000 00f03f280062040800 10016a0102".replace(" ", ""))
    metric = b"\x3a" + bytes([len(histogram)]) + histogram
    family = b"\x0a\x01n\x18\x04\x22" + bytes([len(metric)]) + metric
    content_type = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"  # noqa: E501 - one media type
    with exposing(bytes([len(family)]) + family, content_type=content_type) as server:
        scrape = only(await make(address_of(server), scrape_protocols=["PrometheusProto"]).check())
    assert scrape.target.error == ""
    histograms = scrape.exposition.histograms
    assert histograms is not None
    assert (histograms[0].count, histograms[0].positive) == (1, (1.0,))
    assert histograms[-1] is None


async def test_a_wrong_rule_is_a_configuration_error(make: Maker) -> None:
    with pytest.raises(ConfigurationError, match="target_label"):
        await make("x:1", relabel_configs=[{"action": "replace"}]).check()


async def test_bounds_are_written_one_way(make: Maker) -> None:
    body = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n'
    with exposing(body) as server:
        found = values(only(await make(address_of(server)).check()))
    assert {"h_bucket{le=1.0}", "h_bucket{le=+Inf}"} <= set(found)


async def test_targets_without_a_usable_address_are_told(make: Maker) -> None:
    result = await make("host/path:1", "host:port").check()
    assert result.scrapes is not None
    assert [each.target.is_up for each in result.scrapes] == [False, False]
    assert "is not a valid hostname" in result.scrapes[0].target.error


async def test_more_about_scrapes_when_wanted(make: Maker) -> None:
    with exposing(BODY) as server:
        monitor = make(address_of(server), extra_scrape_metrics=True, sample_limit=7)
        found = values(only(await monitor.check()))
    assert found["scrape_sample_limit"] == 7
    assert found["scrape_body_size_bytes"] == len(BODY)
    assert found["scrape_timeout_seconds"] == 3


async def test_the_monitors_own_labels_are_on_every_series_unless_the_target_has_them(
    make: Maker,
) -> None:
    with exposing("a 1\n") as server:
        monitor = make(address_of(server), labels={"env": "prod"})
        monitor.labels = {"env": "test", "team": "web"}
        found = values(only(await monitor.check()))
    assert {"a{env=prod,team=web}", "up{env=prod,team=web}"} <= set(found)
