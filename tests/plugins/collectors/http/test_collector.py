import json
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from detectviz.collection.checks import ScheduledCheck
from detectviz.collection.once import run_check
from detectviz.contracts.collector import CheckResult, Collector
from detectviz.contracts.types import CheckState, JsonObject, JsonValue, PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.testing.http_server import (
    Answer,
    ReceivedRequest,
    TestAuthority,
    http_server,
    json_answer,
    silent_port,
)
from detectviz.testing.plugins import built_in_plugins, checked_config
from detectviz.testing.services import free_port

AUTHORITY = TestAuthority()
RESPOND = Callable[[ReceivedRequest], Answer]


class Registry:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self, name: str, org: str) -> Collector:
        return self._collector


class Runner:
    """Runs the real plugin on a real network, as the engine does."""

    def __init__(self, network: EngineNetwork) -> None:
        self._network = network
        self._registry = Registry(built_in_plugins().load(PluginKind.COLLECTOR, "http"))

    async def __call__(
        self,
        url: str,
        options: JsonObject | None = None,
        *,
        secrets: dict[str, JsonValue] | None = None,
        timeout_s: float = 5.0,
        **more: JsonValue,
    ) -> CheckResult:
        config = {"url": url, **(options or {}), **more}
        checked = checked_config(PluginKind.COLLECTOR, "http", config, secrets)
        check = ScheduledCheck(
            key=1,
            epoch=1,
            slot_ms=0,
            collector="http",
            name="home",
            config=checked.config,
            secrets=checked.secrets,
            timeout_s=timeout_s,
        )
        return await run_check(check, registry=self._registry, network=self._network)


@pytest.fixture
async def run() -> AsyncIterator[Runner]:
    network = EngineNetwork(EgressPolicy(allow_private=True))
    yield Runner(network)
    await network.aclose()


def values(result: CheckResult) -> dict[str, float]:
    return {metric.name: metric.value for metric in result.metrics}


def hello(request: ReceivedRequest) -> Answer:
    return Answer(headers=(("Content-Type", "text/plain"),), body=b"hello world")


async def test_an_expected_answer_is_up_with_blackbox_metrics_and_evidence(run: Runner) -> None:
    with http_server(hello) as server:
        result = await run(server.url)
    assert result.state is CheckState.UP
    assert result.message.startswith("200 in ")
    assert result.duration_s is not None
    seen = values(result)
    assert seen["probe_http_status_code"] == 200
    assert seen["probe_http_content_length"] == 11
    assert seen["probe_http_version"] == 1.1
    assert seen["probe_http_ssl"] == 0
    assert seen["probe_ip_protocol"] == 4
    assert seen["probe_failed_due_to_regex"] == 0
    phases = {
        metric.labels["phase"]
        for metric in result.metrics
        if metric.name == "probe_http_duration_seconds"
    }
    assert phases == {"resolve", "connect", "tls", "processing", "transfer"}
    assert result.evidence["request"] == f"GET {server.url}"
    assert "body" not in result.evidence


@pytest.mark.parametrize(
    ("status", "expected", "state"),
    [
        (200, ["200-299"], CheckState.UP),
        (404, ["200-299"], CheckState.DOWN),
        (404, ["200-299", "404"], CheckState.UP),
        (503, ["500-599"], CheckState.UP),
        (302, ["200"], CheckState.DOWN),
    ],
)
async def test_the_status_is_judged(
    run: Runner, status: int, expected: list[JsonValue], state: CheckState
) -> None:
    with http_server(lambda _: Answer(status=status, body=b"why")) as server:
        result = await run(server.url, expected_status=expected)
    assert result.state is state
    if state is CheckState.DOWN:
        assert f"status {status}" in result.message
        assert result.evidence["body"] == "why"


DOCUMENT = {"status": "ok", "count": 3, "rows": [{"n": 1}, {"n": 20}], "flag": True, "none": None}


@pytest.mark.parametrize(
    ("assertion", "holds"),
    [
        ({"source": "body", "operator": "contains", "value": '"status"'}, True),
        ({"source": "body", "operator": "not_contains", "value": "error"}, True),
        ({"source": "body", "operator": "contains", "value": "STATUS", "ignore_case": True}, True),
        ({"source": "body", "operator": "matches", "value": r'"count":\s*\d'}, True),
        ({"source": "body", "operator": "not_matches", "value": "^{"}, False),
        ({"source": "body", "operator": "starts_with", "value": "{"}, True),
        ({"source": "body", "operator": "ends_with", "value": "]"}, False),
        ({"source": "header", "name": "x-many", "operator": "equals", "value": "two"}, True),
        ({"source": "header", "name": "x-many", "operator": "not_equals", "value": "two"}, False),
        ({"source": "header", "name": "x-none", "operator": "exists"}, False),
        ({"source": "header", "name": "x-none", "operator": "not_exists"}, True),
        ({"source": "status", "operator": "equals", "value": "200"}, True),
        ({"source": "status", "operator": "lt", "value": "300"}, True),
        ({"source": "json", "path": "$.status", "operator": "equals", "value": "ok"}, True),
        ({"source": "json", "path": "$.count", "operator": "equals", "value": "3.0"}, True),
        ({"source": "json", "path": "$.count", "operator": "gte", "value": "4"}, False),
        ({"source": "json", "path": "$.rows[*].n", "operator": "gt", "value": "10"}, True),
        (
            {"source": "json", "path": "$.rows[?@.n > 5].n", "operator": "equals", "value": "20"},
            True,
        ),
        ({"source": "json", "path": "$.flag", "operator": "equals", "value": "true"}, True),
        ({"source": "json", "path": "$.flag", "operator": "equals", "value": "1"}, False),
        ({"source": "json", "path": "$.none", "operator": "equals", "value": "null"}, True),
        ({"source": "json", "path": "$.rows[0]", "operator": "equals", "value": '{"n": 1}'}, True),
        ({"source": "json", "path": "$.absent", "operator": "exists"}, False),
        ({"source": "response_time_ms", "operator": "lt", "value": "5000"}, True),
        ({"source": "response_time_ms", "operator": "lt", "value": "0"}, False),
        ({"source": "certificate_days", "operator": "gt", "value": "1"}, False),
    ],
)
async def test_assertions_hold_or_not(
    run: Runner,
    assertion: dict[str, JsonValue],
    holds: bool,
) -> None:
    headers = (("X-Many", "one"), ("X-Many", "two"))
    answer = Answer(headers=headers, body=json.dumps(DOCUMENT).encode())
    with http_server(lambda _: answer) as server:
        result = await run(server.url, assertions=[assertion])
        mild = await run(server.url, assertions=[{**assertion, "severity": "degraded"}])
    assert result.state is (CheckState.UP if holds else CheckState.DOWN)
    assert mild.state is (CheckState.UP if holds else CheckState.DEGRADED)
    if not holds:
        assert result.evidence["failed_assertions"]


async def test_json_assertions_on_something_else_fail_with_a_reason(run: Runner) -> None:
    wanted: JsonValue = [{"source": "json", "path": "$.a", "operator": "not_exists"}]
    with http_server(hello) as server:
        result = await run(server.url, assertions=wanted)
    assert (result.state, result.message) == (CheckState.DOWN, "the body is not JSON")


@pytest.mark.parametrize(
    "assertion",
    [
        {"source": "json", "path": "$.a[", "operator": "exists"},
        {"source": "json", "path": "$..*..*..*", "operator": "exists"},
        {"source": "json", "path": "$[?@.a =~ /(a+)+$/]", "operator": "exists"},
        {"source": "json", "path": "$[?match(@.a, '(a+)+$')]", "operator": "exists"},
        {"source": "body", "operator": "matches", "value": "("},
        {"source": "body", "operator": "matches", "value": "(?=look)"},
        {"source": "status", "operator": "lt", "value": "many"},
    ],
)
async def test_an_assertion_that_cannot_be_asked_is_unknown_and_not_down(
    run: Runner, assertion: dict[str, JsonValue]
) -> None:
    with http_server(lambda _: json_answer({"a": 1})) as server:
        result = await run(server.url, assertions=[assertion])
    assert result.state is CheckState.UNKNOWN


async def test_a_pattern_that_fails_is_told_as_a_metric(run: Runner) -> None:
    wanted: JsonValue = [{"source": "body", "operator": "matches", "value": "absent"}]
    with http_server(hello) as server:
        assert values(await run(server.url, assertions=wanted))["probe_failed_due_to_regex"] == 1


@pytest.mark.parametrize(
    ("config", "state"),
    [
        ({"response_size_min": 11, "response_size_max": 11}, CheckState.UP),
        ({"response_size_min": 12}, CheckState.DOWN),
        ({"response_size_max": 10}, CheckState.DOWN),
        ({"response_size_max": 10, "max_body_bytes": 5}, CheckState.DOWN),
        ({"fail_if_not_ssl": True}, CheckState.DOWN),
        ({"fail_if_ssl": True}, CheckState.UP),
        ({"expected_http_versions": ["2"]}, CheckState.DOWN),
        ({"expected_http_versions": ["1.1", "2"]}, CheckState.UP),
    ],
)
async def test_size_and_transport_are_judged(
    run: Runner, config: dict[str, JsonValue], state: CheckState
) -> None:
    with http_server(hello) as server:
        assert (await run(server.url, config)).state is state


async def test_what_is_configured_is_what_is_sent(run: Runner) -> None:
    with http_server(hello) as server:
        await run(
            f"{server.url}/p?a=1",
            method="PATCH",
            headers={"X-Mine": "yes", "User-Agent": "mine/1"},
            body="<a/>",
            body_encoding="xml",
            cache_bust=True,
            compression="gzip",
            secret_header_name="X-Api-Key",
            secrets={"secret_header_value": "very-secret"},
        )
    seen = server.requests[0]
    assert (seen.method, seen.path, seen.body) == ("PATCH", "/p", b"<a/>")
    assert seen.query.startswith("a=1&detectviz_nocache=")
    assert seen.headers["content-type"].startswith("application/xml")
    assert seen.headers["accept-encoding"] == "gzip"
    assert (seen.headers["x-mine"], seen.headers["user-agent"]) == ("yes", "mine/1")
    assert seen.headers["x-api-key"] == "very-secret"


async def test_credentials_are_sent_and_never_shown(run: Runner) -> None:
    def echo(request: ReceivedRequest) -> Answer:
        said = request.headers.get("authorization", "")
        cookie = ("Set-Cookie", "session=abcdef")
        return Answer(status=500, headers=(cookie,), body=said.encode())

    with http_server(echo) as server:
        basic = await run(server.url, auth="basic", username="me", secrets={"password": "sesame-1"})
        bearer = await run(server.url, auth="bearer", secrets={"bearer_token": "sesame-2"})
    assert server.requests[0].headers["authorization"].startswith("Basic ")
    assert server.requests[1].headers["authorization"] == "Bearer sesame-2"
    told = json.dumps([basic.evidence, bearer.evidence])
    assert (basic.evidence["body"], bearer.evidence["body"]) == ("Basic ***", "Bearer ***")
    assert "sesame" not in told
    assert "abcdef" not in told


async def test_an_oauth2_token_is_fetched_once_and_again_when_refused(run: Runner) -> None:
    def respond(request: ReceivedRequest) -> Answer:
        if request.path == "/token":
            return json_answer({"access_token": "granted", "expires_in": 3600})
        is_first = sum(seen.path == "/" for seen in server.requests) <= 2
        said = request.headers["authorization"].encode()
        return Answer(status=200 if is_first else 401, body=said)

    config: dict[str, JsonValue] = {
        "auth": "oauth2_client_credentials",
        "oauth2_client_id": "client",
        "oauth2_scopes": ["a", "b"],
    }
    secrets: dict[str, JsonValue] = {"oauth2_client_secret": "very-secret"}
    with http_server(respond) as server:
        for _ in range(4):
            config["oauth2_token_url"] = f"{server.url}/token"
            refused = await run(f"{server.url}/", config, secrets=secrets)
    tokens = [seen for seen in server.requests if seen.path == "/token"]
    assert len(tokens) == 2
    assert b"scope=a+b" in tokens[0].body
    assert tokens[0].headers["authorization"].startswith("Basic ")
    targets = [seen for seen in server.requests if seen.path == "/"]
    assert targets[0].headers["authorization"] == "Bearer granted"
    assert "granted" not in json.dumps(refused.evidence)


@pytest.mark.parametrize(
    "answer", [Answer(status=401), Answer(body=b"no json"), json_answer({"token": 1})]
)
async def test_without_a_token_nothing_is_known_of_the_target(run: Runner, answer: Answer) -> None:
    with http_server(lambda _: answer) as server:
        result = await run(
            server.url,
            auth="oauth2_client_credentials",
            oauth2_client_id="client",
            oauth2_token_url=f"{server.url}/token",
        )
    assert result.state is CheckState.UNKNOWN
    assert result.message.startswith("No OAuth 2 token")


async def test_a_target_that_is_away_is_down_with_the_phase(run: Runner) -> None:
    refused = await run(f"http://127.0.0.1:{free_port()}/")
    with silent_port() as port:
        silent = await run(f"http://127.0.0.1:{port}/", timeout_s=0.5)
    assert (refused.state, refused.evidence["phase"]) == (CheckState.DOWN, "connect")
    assert "connection refused by 127.0.0.1" in refused.message
    assert (silent.state, silent.evidence["phase"]) == (CheckState.DOWN, "receive")
    assert values(refused)["probe_http_status_code"] == 0


async def test_a_target_the_policy_forbids_is_unknown(run: Runner) -> None:
    result = await run("http://169.254.169.254/")
    assert result.state is CheckState.UNKNOWN
    assert "DETECTVIZ_EGRESS_ALLOW" in result.message


def context_until(days: float) -> ssl.SSLContext:
    ends = datetime.now(UTC) + timedelta(days=days)
    return AUTHORITY.server_context(AUTHORITY.authority.issue_cert("127.0.0.1", not_after=ends))


@pytest.mark.parametrize(
    ("days", "config", "state"),
    [
        (60.0, {}, CheckState.UP),
        (5.0, {}, CheckState.DEGRADED),
        (5.0, {"certificate_warn_days": None}, CheckState.UP),
        (5.0, {"certificate_critical_days": 7}, CheckState.DOWN),
        (-1.0, {}, CheckState.DOWN),
        (-1.0, {"verify_tls": False}, CheckState.DEGRADED),
    ],
)
async def test_the_end_of_a_certificate_is_judged(
    run: Runner, days: float, config: dict[str, JsonValue], state: CheckState
) -> None:
    with http_server(hello, tls=context_until(days)) as server:
        result = await run(server.url, config, ca_pem=AUTHORITY.ca_pem)
    assert result.state is state
    ends = values(result)["probe_ssl_earliest_cert_expiry"]
    assert ends == pytest.approx(datetime.now(UTC).timestamp() + days * 86_400, abs=60)
    assert "certificates" in str(result.evidence["tls"])


async def test_tls_is_told_as_metrics(run: Runner) -> None:
    with http_server(hello, tls=AUTHORITY.server_context()) as server:
        result = await run(server.url, ca_pem=AUTHORITY.ca_pem, max_tls_version="1.2")
    info = next(each for each in result.metrics if each.name == "probe_tls_version_info")
    assert (info.value, info.labels) == (1.0, {"version": "TLS 1.2"})
    assert values(result)["probe_http_ssl"] == 1


async def test_many_findings_are_summed_up_worst_first(run: Runner) -> None:
    mild: dict[str, JsonValue] = {"source": "body", "operator": "contains", "value": "x1"}
    wanted: list[JsonValue] = [{**mild, "severity": "degraded"}] * 4
    with http_server(lambda _: Answer(status=500)) as server:
        result = await run(server.url, assertions=wanted)
    assert result.state is CheckState.DOWN
    assert result.message.startswith("status 500")
    assert result.message.endswith("and 2 more")
