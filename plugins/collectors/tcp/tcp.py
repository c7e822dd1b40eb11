"""The TCP collector."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from detectviz.contracts.certificates import judge_expiry, tls_evidence, tls_metrics
from detectviz.contracts.collector import CheckResult, CollectorContext, Metric
from detectviz.contracts.config import get_bool, get_int, get_number, get_objects, get_text
from detectviz.contracts.errors import (
    CertificateError,
    DeadlineExceededError,
    EgressDeniedError,
    NetworkError,
)
from detectviz.contracts.network import (
    Connection,
    IpFamily,
    Phases,
    TlsOptions,
    TlsReport,
    TlsVersion,
)
from detectviz.contracts.starttls import upgrade
from detectviz.contracts.types import CheckState, JsonObject
from plugins.collectors.tcp.conversation import Conversation, ExpectationError

_FAMILIES: dict[str, IpFamily] = {"ipv4": "ipv4", "ipv6": "ipv6"}
_VERSIONS: dict[str, TlsVersion] = {"1.0": "1.0", "1.1": "1.1", "1.2": "1.2", "1.3": "1.3"}
_ALERT_READ_S = 2.0
# The first lines tell the protocol and the last ones the failure.
_KEPT_LINES = 25


@dataclass(slots=True)
class _Probe:
    """What has been found so far; kept outside the attempt so that a failure has its evidence."""

    context: CollectorContext
    started: float
    connection: Connection | None = None
    conversation: Conversation | None = None
    report: TlsReport | None = None
    doing: str = "connecting"

    @property
    def config(self) -> JsonObject:
        return self.context.config

    @property
    def server_name(self) -> str:
        return get_text(self.config, "server_name") or get_text(self.config, "host")


class TcpCollector:
    """Connects and talks."""

    async def check(self, context: CollectorContext) -> CheckResult:
        """Run one check; everything up to the deadline is one conversation."""
        probe = _Probe(context, context.monotonic())
        try:
            async with asyncio.timeout(context.timeout_s):
                await _talk(probe)
            state, message = _judge(probe)
        except EgressDeniedError:
            raise
        except TimeoutError:
            state, message = _timed_out(probe)
        except ExpectationError as error:
            state, message = CheckState.DOWN, f"Step {_step(probe)}: {error}"
        except NetworkError as error:
            state, message = _broken(probe, error)
        finally:
            if probe.connection is not None:
                await probe.connection.close()
        return CheckResult(
            state=state,
            message=message,
            duration_s=context.monotonic() - probe.started,
            metrics=tuple(_metrics(probe)),
            evidence=_evidence(probe),
        )


async def _talk(probe: _Probe) -> None:
    config = probe.config
    options = _tls_options(probe)
    security = get_text(config, "security")
    probe.connection = await probe.context.network.connect(
        get_text(config, "host"),
        get_int(config, "port"),
        tls=options if security == "tls" else None,
        ip_family=_FAMILIES.get(get_text(config, "ip_family"), "auto"),
        source_address=get_text(config, "source_address"),
        timeout_s=probe.context.timeout_s,
    )
    connection = probe.connection
    if security == "starttls":
        probe.doing = "asking for TLS"
        protocol = get_text(config, "starttls_protocol")
        await upgrade(connection, protocol, options, server_name=probe.server_name)
    probe.report = connection.tls

    async def start_tls() -> None:
        probe.report = await connection.start_tls(options, server_name=probe.server_name)

    probe.doing = "talking"
    probe.conversation = Conversation(connection, start_tls)
    await probe.conversation.run(get_objects(config, "steps"))
    if get_text(config, "expect_tls_alert") != "none":
        # In TLS 1.3 a server refuses a client certificate only after the client thinks it is done.
        async with asyncio.timeout(min(_ALERT_READ_S, probe.context.timeout_s)):
            await connection.receive(1)


def _tls_options(probe: _Probe) -> TlsOptions:
    config, secrets = probe.config, probe.context.secrets
    return TlsOptions(
        verify=get_bool(config, "verify", default=True),
        server_name=get_text(config, "server_name"),
        ca_pem=get_text(config, "ca_pem"),
        certificate_pem=get_text(config, "certificate_pem"),
        private_key_pem=secrets.get("private_key_pem", ""),
        private_key_password=secrets.get("private_key_password", ""),
        min_version=_VERSIONS[get_text(config, "min_version")],
        max_version=_VERSIONS[get_text(config, "max_version")],
    )


def _judge(probe: _Probe) -> tuple[CheckState, str]:
    alert = get_text(probe.config, "expect_tls_alert")
    if alert != "none":
        return CheckState.DOWN, f"The server accepted where the TLS alert {alert} was expected"
    if probe.report is not None:
        verdict = judge_expiry(
            probe.report,
            probe.context.now(),
            degraded_days=get_number(probe.config, "certificate_degraded_days"),
            down_days=get_number(probe.config, "certificate_down_days"),
        )
        if verdict is not None:
            return verdict
    steps = len(get_objects(probe.config, "steps"))
    talked = f" and {steps} steps went as expected" if steps else ""
    return CheckState.UP, f"Connected to {_target(probe)}{talked}"


def _timed_out(probe: _Probe) -> tuple[CheckState, str]:
    if get_text(probe.config, "expect_tls_alert") != "none" and probe.doing == "talking":
        return _judge(probe)
    place = f"in step {_step(probe)}" if probe.conversation else f"while {probe.doing}"
    return CheckState.DOWN, f"Timed out after {probe.context.timeout_s:g} s {place}"


def _broken(probe: _Probe, error: NetworkError) -> tuple[CheckState, str]:
    if isinstance(error, CertificateError):
        probe.report = error.report
    alert = get_text(probe.config, "expect_tls_alert")
    words = alert.replace("_", " ")
    if alert != "none" and f"alert {words}" in error.message.lower().replace("_", " "):
        return CheckState.UP, f"The server refused with the TLS alert {alert}, as expected"
    if isinstance(error, DeadlineExceededError) or probe.conversation is None:
        return CheckState.DOWN, _sentence(error.message)
    return CheckState.DOWN, f"Step {_step(probe)}: {error.message}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _step(probe: _Probe) -> int:
    return probe.conversation.step if probe.conversation else 0


def _target(probe: _Probe) -> str:
    return f"{get_text(probe.config, 'host')}:{get_int(probe.config, 'port')}"


def _phases(probe: _Probe) -> Phases:
    return probe.connection.phases if probe.connection else Phases()


def _metrics(probe: _Probe) -> Iterator[Metric]:
    if probe.connection is not None:
        phases = _phases(probe)
        yield Metric(name="probe_dns_lookup_time_seconds", value=phases.resolve)
        yield Metric(name="probe_tcp_connect_duration_seconds", value=phases.connect)
        version = 6.0 if ":" in probe.connection.remote_ip else 4.0
        yield Metric(name="probe_ip_protocol", value=version)
    if probe.conversation is not None:
        yield from probe.conversation.metrics
    if probe.report is not None:
        yield Metric(name="probe_tls_handshake_duration_seconds", value=_phases(probe).tls)
        yield from tls_metrics(probe.report)


def _evidence(probe: _Probe) -> JsonObject:
    lines = probe.conversation.transcript if probe.conversation else []
    if len(lines) > 2 * _KEPT_LINES:
        lines = [*lines[:_KEPT_LINES], "…", *lines[-_KEPT_LINES:]]
    found: dict[str, JsonObject | list[str] | str] = {"target": _target(probe)}
    if probe.connection is not None:
        found["remote_ip"] = probe.connection.remote_ip
    if lines:
        found["conversation"] = lines
    if probe.report is not None:
        found["tls"] = tls_evidence(probe.report)
    return dict(found)
