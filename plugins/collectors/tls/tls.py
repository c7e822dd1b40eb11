"""The TLS certificate collector."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from detectviz.contracts.certificates import tls_evidence, tls_metrics
from detectviz.contracts.collector import CheckResult, CollectorContext, Metric
from detectviz.contracts.config import get_bool, get_int, get_text
from detectviz.contracts.errors import CertificateError, EgressDeniedError, NetworkError
from detectviz.contracts.network import IpFamily, Phases, TlsOptions, TlsReport, TlsVersion
from detectviz.contracts.starttls import upgrade
from detectviz.contracts.types import CheckState
from plugins.collectors.tls.policy import Finding, find_all

_FAMILIES: dict[str, IpFamily] = {"ipv4": "ipv4", "ipv6": "ipv6"}
_VERSION_BELOW: dict[str, TlsVersion] = {"1.1": "1.0", "1.2": "1.1", "1.3": "1.2"}
_SHOWN_FINDINGS = 5


class TlsCollector:
    """Looks at a server's certificates and at how it speaks TLS."""

    async def check(self, context: CollectorContext) -> CheckResult:
        """Connect, and judge what the server showed, also where it is not to be trusted."""
        started = context.monotonic()
        try:
            async with asyncio.timeout(context.timeout_s):
                report, phases, findings = await _look(context)
                findings += find_all(context.config, report, context.now())
                findings += await _accepts_older(context)
        except EgressDeniedError:
            raise
        except TimeoutError:
            return _unreachable(f"Timed out after {context.timeout_s:g} s")
        except NetworkError as error:
            return _unreachable(error.message[:1].upper() + error.message[1:])
        state, message = _summary(findings, report, context)
        return CheckResult(
            state=state,
            message=message,
            duration_s=context.monotonic() - started,
            metrics=tuple(_metrics(report, phases, context)),
            evidence={**tls_evidence(report), "findings": [text for _, text in findings]},
        )


async def _look(context: CollectorContext) -> tuple[TlsReport, Phases, list[Finding]]:
    """Return the report of the handshake; where verification refuses it, of one without."""
    options = _options(context)
    try:
        report, phases = await _handshake(context, options)
    except CertificateError as error:
        finding = (CheckState.DOWN, error.message[:1].upper() + error.message[1:])
        if error.report is not None:
            return error.report, Phases(), [finding]
        report, phases = await _handshake(context, replace(options, verify=False))
        return report, phases, [finding]
    return report, phases, []


async def _handshake(context: CollectorContext, options: TlsOptions) -> tuple[TlsReport, Phases]:
    config = context.config
    protocol = get_text(config, "starttls_protocol")
    host = get_text(config, "host")
    connection = await context.network.connect(
        host,
        get_int(config, "port"),
        tls=options if protocol == "none" else None,
        ip_family=_FAMILIES.get(get_text(config, "ip_family"), "auto"),
        source_address=get_text(config, "source_address"),
        timeout_s=context.timeout_s,
    )
    try:
        if protocol != "none":
            await upgrade(connection, protocol, options, server_name=options.server_name or host)
        if connection.tls is None:
            raise NetworkError("TLS did not begin", phase="tls")
        return connection.tls, connection.phases
    finally:
        await connection.close()


def _options(context: CollectorContext) -> TlsOptions:
    config = context.config
    return TlsOptions(
        verify=get_bool(config, "verify", default=True),
        server_name=get_text(config, "server_name"),
        ca_pem=get_text(config, "ca_pem"),
        certificate_pem=get_text(config, "certificate_pem"),
        private_key_pem=context.secrets.get("private_key_pem", ""),
        private_key_password=context.secrets.get("private_key_password", ""),
        # Old versions are offered so that they are found and named, not just refused.
        min_version="1.0",
    )


async def _accepts_older(context: CollectorContext) -> list[Finding]:
    floor = get_text(context.config, "refuse_below")
    if not floor:
        return []
    newest = _VERSION_BELOW[floor]
    options = replace(_options(context), verify=False, max_version=newest)
    try:
        report, _ = await _handshake(context, options)
    except NetworkError:
        return []
    return [(CheckState.DEGRADED, f"The server still accepts {report.version}, below TLS {floor}")]


def _summary(
    findings: list[Finding], report: TlsReport, context: CollectorContext
) -> tuple[CheckState, str]:
    worst = [text for state, text in findings if state is CheckState.DOWN]
    if worst:
        return CheckState.DOWN, "; ".join(worst[:_SHOWN_FINDINGS])
    if findings:
        texts = [text for _, text in findings]
        return CheckState.DEGRADED, "; ".join(texts[:_SHOWN_FINDINGS])
    expiry = report.earliest_expiry
    days = (expiry - context.now()).days if expiry else 0
    return CheckState.UP, f"{report.version}, the certificate is good for {days} more days"


def _metrics(report: TlsReport, phases: Phases, context: CollectorContext) -> Iterator[Metric]:
    yield Metric(name="probe_dns_lookup_time_seconds", value=phases.resolve)
    yield Metric(name="probe_tcp_connect_duration_seconds", value=phases.connect)
    yield Metric(name="probe_tls_handshake_duration_seconds", value=phases.tls)
    yield from tls_metrics(report)
    expiry = report.earliest_expiry
    if expiry is not None:
        days = (expiry - context.now()).total_seconds() / 86_400
        yield Metric(name="probe_ssl_days_left", value=days)
    verified = float(report.verified and not report.verify_error)
    yield Metric(name="probe_ssl_verified", value=verified)


def _unreachable(message: str) -> CheckResult:
    return CheckResult(state=CheckState.DOWN, message=message)
