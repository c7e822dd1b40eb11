"""The TCP collector against real servers on loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from detectviz.contracts.collector import CheckResult
from detectviz.contracts.errors import ConfigurationError, EgressDeniedError
from detectviz.contracts.types import CheckState, JsonObject, PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.pluginhost.configuration import validate
from detectviz.testing.http_server import (
    Answer,
    TestAuthority,
    http_server,
    silent_port,
)
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.services import free_port
from plugins.collectors.tcp.conversation import compile_pattern, expand, unescape

RunCheck = Callable[..., Awaitable[CheckResult]]
FindMetric = Callable[..., float | None]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220-welcome\r\n220 mx.example ESMTP v7.3\r\n")
    while line := await reader.readline():
        if line.startswith(b"EHLO"):
            writer.write(b"250-mx.example greets " + line[5:].strip() + b"\r\n250 STARTTLS\r\n")
        elif line.startswith(b"QUIT"):
            writer.write(b"221 bye\r\n")
            return
        else:
            writer.write(b"500 what?\r\n")
        await writer.drain()


async def login(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"banner\nlogin: ")
    name = await reader.readline()
    writer.write(b"hello " + name + b"\x01\x02\xff")
    await writer.drain()


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def _here(port: int, **more: object) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": port, **more}


async def test_an_open_port_is_up(run_check: RunCheck, metric_of: FindMetric) -> None:
    async with server(accept) as port:
        result = await run_check("tcp", _here(port))
    assert result.state is CheckState.UP
    assert result.message == f"Connected to 127.0.0.1:{port}"
    assert metric_of(result, "probe_ip_protocol") == 4.0
    assert (metric_of(result, "probe_tcp_connect_duration_seconds") or 0.0) > 0.0
    assert result.duration_s is not None


async def test_a_closed_port_is_down(run_check: RunCheck) -> None:
    result = await run_check("tcp", _here(free_port()))
    assert result.state is CheckState.DOWN
    assert "refused" in result.message


async def test_a_denied_address_is_told_to_the_host(run_check: RunCheck) -> None:
    strict = EngineNetwork(EgressPolicy())
    with pytest.raises(EgressDeniedError):
        await run_check("tcp", _here(80), through=strict)
    await strict.aclose()


async def test_a_conversation_goes_step_by_step(run_check: RunCheck, metric_of: FindMetric) -> None:
    steps = [
        {"expect": r"^220 (\S+) ESMTP v([0-9.]+)$", "labels": {"version": "${2}"}},
        {"send": "EHLO ${1}", "expect": r"^250-mx\.example greets mx\.example$"},
        {"expect": "^250 STARTTLS$"},
        {"send": "QUIT", "expect": "^221"},
    ]
    async with server(mail) as port:
        result = await run_check("tcp", _here(port, steps=steps))
    assert result.state is CheckState.UP, result.message
    assert "4 steps" in result.message
    assert metric_of(result, "probe_expect_info", version="7.3") == 1.0
    assert "< 220 mx.example ESMTP v7.3" in str(result.evidence["conversation"])


async def test_prompts_and_bytes_are_understood(run_check: RunCheck) -> None:
    steps = [
        {"expect": "^login: $"},
        {"send": r"a\x62c", "line_end": "lf", "expect": "^hello abc$"},
        {"expect_hex": "01 02 ff"},
    ]
    async with server(login) as port:
        result = await run_check("tcp", _here(port, steps=steps))
    assert result.state is CheckState.UP, result.message


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([{"expect": "^221"}, {"expect": "x"}], "Step 1: Timed out|Timed out after"),
        ([{"expect": "^220 "}, {"send": "QUIT", "expect": "^250"}], "Step 2: '\\^250' never came"),
        ([{"expect_hex": "00ff"}], "Step 1: bytes 00ff were awaited and 3232 came"),
    ],
)
async def test_a_failed_step_is_named(
    run_check: RunCheck, steps: list[JsonObject], says: str
) -> None:
    async with server(mail) as port:
        result = await run_check("tcp", _here(port, steps=steps), timeout_s=1.0)
    assert result.state is CheckState.DOWN
    assert any(part.replace("\\", "") in result.message for part in says.split("|"))


async def test_a_peer_that_stays_silent_times_out(run_check: RunCheck) -> None:
    with silent_port() as port:
        result = await run_check("tcp", _here(port, steps=[{"expect": "x"}]), timeout_s=1.0)
    assert result.state is CheckState.DOWN
    assert result.message == "Timed out after 1 s in step 1"


async def test_an_endless_line_is_cut_off(run_check: RunCheck) -> None:
    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with server(flood) as port:
        result = await run_check("tcp", _here(port, steps=[{"expect": "never"}]))
    assert result.state is CheckState.DOWN
    assert "262144 bytes" in result.message


async def test_tls_is_verified_and_its_certificate_reported(
    run_check: RunCheck, metric_of: FindMetric, authority: TestAuthority
) -> None:
    async with server(accept, authority.server_context()) as port:
        config = _here(port, security="tls", ca_pem=authority.ca_pem)
        good = await run_check("tcp", config)
        untrusted = await run_check("tcp", _here(port, security="tls"))
        unverified = await run_check("tcp", _here(port, security="tls", verify=False))
        later = datetime(3500, 1, 1, tzinfo=UTC)
        expired = await run_check("tcp", config, now=later)
    assert good.state is CheckState.UP, good.message
    assert metric_of(good, "probe_tls_version_info", version="TLS 1.3") == 1.0
    assert (metric_of(good, "probe_ssl_earliest_cert_expiry") or 0.0) > 1e9
    assert untrusted.state is CheckState.DOWN
    assert unverified.state is CheckState.UP
    assert expired.state is CheckState.DOWN
    assert "expired" in expired.message


async def test_a_certificate_that_ends_soon_degrades(
    run_check: RunCheck, authority: TestAuthority
) -> None:
    soon = authority.authority.issue_cert(
        "127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=5)
    )
    async with server(accept, authority.server_context(soon)) as port:
        config = _here(port, security="tls", ca_pem=authority.ca_pem)
        degraded = await run_check("tcp", config)
        down = await run_check("tcp", {**config, "certificate_down_days": 6})
    assert degraded.state is CheckState.DEGRADED
    assert "expires in" in degraded.message
    assert down.state is CheckState.DOWN


async def test_an_expected_tls_alert_is_the_good_outcome(
    run_check: RunCheck, authority: TestAuthority
) -> None:
    demanding = authority.server_context()
    demanding.verify_mode = ssl.CERT_REQUIRED
    authority.authority.configure_trust(demanding)
    expected = {
        "security": "tls",
        "ca_pem": authority.ca_pem,
        "expect_tls_alert": "certificate_required",
    }
    # A threaded server: asyncio's drops the alert of a failed handshake.
    with http_server(lambda _: Answer(), tls=demanding) as running:
        refused = await run_check("tcp", _here(running.port, **expected))
    async with server(accept, authority.server_context()) as port:
        accepted = await run_check("tcp", _here(port, **expected), timeout_s=1.0)
    assert refused.state is CheckState.UP, refused.message
    assert accepted.state is CheckState.DOWN
    assert "accepted" in accepted.message


async def test_starttls_in_a_step_and_as_security(
    run_check: RunCheck, authority: TestAuthority
) -> None:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx ESMTP\r\n")
        await reader.readline()
        writer.write(b"250-mx\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go\r\n")
        await writer.drain()
        await writer.start_tls(authority.server_context())
        await reader.readline()
        writer.write(b"250 secret\r\n")
        await writer.drain()

    tls = {"ca_pem": authority.ca_pem}
    steps = [
        {"expect": "^220"},
        {"send": "EHLO x", "expect": "^250 STARTTLS"},
        {"send": "STARTTLS", "expect": "^220"},
        {"starttls": True},
        {"send": "EHLO x", "expect": "^250 secret"},
    ]
    async with server(upgrade) as port:
        by_steps = await run_check("tcp", _here(port, steps=steps, **tls))
        by_security = await run_check(
            "tcp", _here(port, security="starttls", steps=[steps[-1]], **tls)
        )
    assert by_steps.state is CheckState.UP, by_steps.message
    assert by_security.state is CheckState.UP, by_security.message
    assert "tls" in by_steps.evidence


def test_escapes_and_groups() -> None:
    assert unescape(r"a\r\n\x00\\\q") == b"a\r\n\x00\\\\q"
    assert unescape("ü") == "ü".encode()
    assert expand("${1}-${0}-${9}", ("all", "one")) == "one-all-"


def test_a_pattern_that_is_no_re2_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError):
        compile_pattern(r"(a)\1")


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"host": "example.org"}, "/port"),
        ({"host": "http://example.org", "port": 80}, "/host"),
        ({"host": "example.org", "port": 0}, "/port"),
        ({"host": "example.org", "port": 80, "security": "ssl"}, "/security"),
        ({"host": "example.org", "port": 80, "steps": [{"expect": "("}]}, "/steps/0/expect"),
        (
            {"host": "example.org", "port": 80, "steps": [{"expect_hex": "0"}]},
            "/steps/0/expect_hex",
        ),
        ({"host": "example.org", "port": 80, "source_address": "eth0"}, "/source_address"),
    ],
)
def test_a_wrong_configuration_names_its_field(config: JsonObject, field: str) -> None:
    schema = built_in_plugins().manifest(PluginKind.COLLECTOR, "tcp").config_schema
    assert field in {problem.field for problem in validate(schema, config, {}).problems}
