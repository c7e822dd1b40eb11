"""The TLS collector against real servers on loopback, and its policy on made-up reports."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from detectviz.contracts.collector import CheckResult
from detectviz.contracts.network import Certificate, TlsReport
from detectviz.contracts.types import CheckState, JsonObject, PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.testing.http_server import TestAuthority, silent_port
from detectviz.testing.plugins import built_in_plugins, checked_config
from detectviz.testing.services import free_port
from plugins.collectors.tls.policy import covers, find_all, version_number

RunCheck = Callable[..., Awaitable[CheckResult]]
FindMetric = Callable[..., float | None]
NOW = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
DEGRADED, DOWN = CheckState.DEGRADED, CheckState.DOWN
ROOT = Certificate(
    subject="CN=Root",
    issuer="CN=Root",
    serial="1",
    not_before=NOW - timedelta(days=1000),
    not_after=NOW + timedelta(days=1000),
    public_key="RSA 4096",
    signature_algorithm="sha1WithRSAEncryption",
)
LEAF = Certificate(
    subject="CN=example.org",
    issuer="CN=Root",
    serial="2",
    not_before=NOW - timedelta(days=10),
    not_after=NOW + timedelta(days=80),
    subject_alternative_names=("example.org", "*.example.org"),
    fingerprint_sha256="ab" * 32,
    public_key="EC secp256r1",
    signature_algorithm="sha256WithRSAEncryption",
)
GOOD = TlsReport(
    version="TLS 1.3", cipher="TLS_AES_256_GCM_SHA384", verified=True, chain=(LEAF, ROOT)
)


def _findings(report: TlsReport, **config: object) -> list[tuple[CheckState, str]]:
    given: JsonObject = {"host": "example.org", **config}  # type: ignore[dict-item]  # built from test data
    checked = checked_config(PluginKind.COLLECTOR, "tls", given)
    return list(find_all(checked.config, report, NOW))


def _leaf(**changes: object) -> TlsReport:
    return replace(GOOD, chain=(replace(LEAF, **changes), ROOT))  # type: ignore[arg-type]  # built from test data


def test_a_good_report_has_no_findings() -> None:
    assert _findings(GOOD) == []


@pytest.mark.parametrize(
    ("report", "config", "state", "says"),
    [
        (replace(GOOD, chain=()), {}, DOWN, "no certificate"),
        (_leaf(not_after=NOW - timedelta(seconds=1)), {}, DOWN, "expired on"),
        (_leaf(not_after=NOW + timedelta(days=10)), {}, DEGRADED, "expires in 10.0 days"),
        (_leaf(not_after=NOW + timedelta(days=2)), {}, DOWN, "expires in 2.0 days"),
        (GOOD, {"required_names": ["other.example"]}, DOWN, "not valid for other.example"),
        (GOOD, {"pinned_sha256": ["cd" * 32]}, DOWN, "pinned"),
        (replace(GOOD, version="TLS 1.1"), {}, DOWN, "older than TLS 1.2"),
        (GOOD, {"min_version": "1.3", "weak_ciphers": ["GCM"]}, DEGRADED, "is weak"),
        (replace(GOOD, chain=(LEAF, LEAF)), {}, DEGRADED, "out of order"),
        (_leaf(public_key="RSA 1024"), {}, DEGRADED, "shorter than 2048"),
        (_leaf(public_key="EC secp192r1"), {}, DEGRADED, "shorter than 256"),
        (_leaf(signature_algorithm="sha1WithRSAEncryption"), {}, DEGRADED, "is signed with"),
        (_leaf(signature_algorithm="ecdsa-with-SHA1"), {}, DEGRADED, "is signed with"),
    ],
)
def test_each_fault_is_found(
    report: TlsReport, config: dict[str, object], state: CheckState, says: str
) -> None:
    found = _findings(report, **config)
    assert any(kind is state and says in text for kind, text in found), found


@pytest.mark.parametrize(
    ("report", "config"),
    [
        (GOOD, {"pinned_sha256": [":".join(["AB"] * 32)]}),
        (GOOD, {"required_names": ["www.example.org", "EXAMPLE.org"]}),
        (_leaf(not_after=NOW + timedelta(days=2)), {"degraded_days": None, "down_days": None}),
        (replace(GOOD, chain=(LEAF, LEAF)), {"check_chain_order": False}),
        (_leaf(public_key="Ed25519"), {}),
    ],
)
def test_what_is_allowed_is_not_found(report: TlsReport, config: dict[str, object]) -> None:
    assert _findings(report, **config) == []


def test_a_star_stands_for_one_label() -> None:
    assert covers(LEAF, "a.example.org")
    assert not covers(LEAF, "a.b.example.org")
    assert not covers(LEAF, "badexample.org")


def test_versions_are_numbers() -> None:
    versions = ["TLS 1.3", "TLSv1.2", "TLS 1", "SSLv3"]
    assert [version_number(text) for text in versions] == [1.3, 1.2, 1.0, 0.0]


@asynccontextmanager
async def server(context: ssl.SSLContext) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


def _here(port: int, **more: object) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": port, **more}


async def test_a_trusted_server_is_up_with_its_metrics(
    run_check: RunCheck, metric_of: FindMetric, authority: TestAuthority
) -> None:
    async with server(authority.server_context()) as port:
        result = await run_check("tls", _here(port, ca_pem=authority.ca_pem))
    assert result.state is CheckState.UP, result.message
    assert metric_of(result, "probe_ssl_verified") == 1.0
    assert (metric_of(result, "probe_ssl_days_left") or 0.0) > 100.0
    assert (metric_of(result, "probe_tls_handshake_duration_seconds") or 0.0) > 0.0
    assert result.evidence["findings"] == []


async def test_an_untrusted_server_is_down_and_still_described(
    run_check: RunCheck, metric_of: FindMetric, authority: TestAuthority
) -> None:
    async with server(authority.server_context()) as port:
        result = await run_check("tls", _here(port))
        without = await run_check("tls", _here(port, verify=False))
    assert result.state is CheckState.DOWN
    assert metric_of(result, "probe_ssl_verified") == 0.0
    assert metric_of(result, "probe_ssl_earliest_cert_expiry") is not None
    assert result.evidence["chain"]
    assert without.state is CheckState.UP


async def test_everything_wrong_is_said_at_once(
    run_check: RunCheck, authority: TestAuthority
) -> None:
    leaf = authority.authority.issue_cert(
        "elsewhere.example", not_after=datetime.now(UTC) + timedelta(days=1)
    )
    async with server(authority.server_context(leaf)) as port:
        result = await run_check(
            "tls", _here(port, ca_pem=authority.ca_pem, required_names=["other.example"])
        )
    assert result.state is CheckState.DOWN
    assert "expires in" in result.message
    assert "other.example" in result.message
    assert "elsewhere.example" in result.message


async def test_old_versions_still_accepted_degrade(
    run_check: RunCheck, authority: TestAuthority
) -> None:
    strict = authority.server_context()
    strict.minimum_version = ssl.TLSVersion.TLSv1_3
    async with server(authority.server_context()) as port:
        lax = await run_check("tls", _here(port, ca_pem=authority.ca_pem, refuse_below="1.3"))
    async with server(strict) as port:
        good = await run_check("tls", _here(port, ca_pem=authority.ca_pem, refuse_below="1.3"))
    assert lax.state is CheckState.DEGRADED
    assert "still accepts TLS 1.2" in lax.message
    assert good.state is CheckState.UP, good.message


async def test_starttls_is_watched_too_also_where_the_certificate_is_refused(
    run_check: RunCheck, authority: TestAuthority
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"+OK ready\r\n")
            await reader.readline()
            writer.write(b"+OK go\r\n")
            await writer.drain()
            await writer.start_tls(authority.server_context())
            await reader.read()
        except OSError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        config = _here(port, starttls_protocol="pop3")
        good = await run_check("tls", {**config, "ca_pem": authority.ca_pem})
        refused = await run_check("tls", config)
    assert good.state is CheckState.UP, good.message
    assert refused.state is CheckState.DOWN
    assert refused.evidence["chain"]


async def test_a_server_that_is_not_there_or_silent_is_down(run_check: RunCheck) -> None:
    refused = await run_check("tls", _here(free_port()))
    assert "refused" in refused.message
    with silent_port() as port:
        silent = await run_check("tls", _here(port), timeout_s=0.2)
    assert (refused.state, silent.state) == (CheckState.DOWN, CheckState.DOWN)
    assert "imed out" in silent.message


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "/host"),
        ({"host": "x", "pinned_sha256": ["abc"]}, "/pinned_sha256/0"),
        ({"host": "x", "min_version": "0.9"}, "/min_version"),
        ({"host": "x", "down_days": -1}, "/down_days"),
    ],
)
def test_a_wrong_configuration_names_its_field(config: JsonObject, field: str) -> None:
    schema = built_in_plugins().manifest(PluginKind.COLLECTOR, "tls").config_schema
    assert field in {problem.field for problem in validate(schema, config, {}).problems}
