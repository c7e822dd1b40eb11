"""The HTTP collector: one exchange, judged."""

from typing import Final

from detectviz.contracts.collector import CheckResult, CollectorContext
from detectviz.contracts.config import get_bool, get_int, get_number, get_text, get_texts
from detectviz.contracts.errors import CertificateError, NetworkError
from detectviz.contracts.network import HttpRequest, HttpResponse
from detectviz.contracts.types import CheckState, JsonObject, JsonValue
from plugins.collectors.http.assertions import Answer, Finding, judge_assertions
from plugins.collectors.http.oauth2 import TokenCache
from plugins.collectors.http.report import (
    answer_evidence,
    certificate_days,
    failure_metrics,
    request_line,
    success_metrics,
    tls_evidence,
)
from plugins.collectors.http.request import build_request

SHOWN_FINDINGS: Final = 3
UNAUTHORISED: Final = 401


class HttpCollector:
    """Requests a URL and judges the answer."""

    def __init__(self) -> None:
        self._tokens = TokenCache()

    async def check(self, context: CollectorContext) -> CheckResult:
        """Run one exchange; raise PluginError when nothing can be said about the target."""
        started = context.monotonic()
        auth = get_text(context.config, "auth", "none")
        bearer = context.secrets.get("bearer_token", "") if auth == "bearer" else ""
        if auth == "oauth2_client_credentials":
            bearer = await self._tokens.token(context)
        left_s = max(0.001, context.timeout_s - (context.monotonic() - started))
        request = build_request(context, bearer=bearer, timeout_s=left_s)
        try:
            response = await context.network.fetch(request)
        except NetworkError as error:
            if error.permanent:
                raise
            return _failed(request, error)
        if response.status_code == UNAUTHORISED and auth == "oauth2_client_credentials":
            self._tokens.forget(context)
        return _judged(context, request, response)


def _failed(request: HttpRequest, error: NetworkError) -> CheckResult:
    report = error.report if isinstance(error, CertificateError) else None
    evidence: dict[str, JsonValue] = {
        "request": request_line(request),
        "phase": error.phase,
        "error": type(error).__name__,
    }
    if report is not None:
        evidence["tls"] = tls_evidence(report)
    return CheckResult(
        state=CheckState.DOWN,
        message=error.message,
        metrics=failure_metrics(report),
        evidence=evidence,
    )


def _judged(context: CollectorContext, request: HttpRequest, response: HttpResponse) -> CheckResult:
    config = context.config
    days = certificate_days(response.tls, context.now())
    answer = Answer(
        status_code=response.status_code,
        headers=response.headers,
        body=response.body,
        response_time_ms=response.phases.total * 1000,
        certificate_days=days,
    )
    findings = [
        *_status_findings(config, response),
        *_transport_findings(config, response),
        *_size_findings(config, response),
        *_certificate_findings(config, days),
        *judge_assertions(config, answer),
    ]
    state = _state(findings)
    return CheckResult(
        state=state,
        message=_message(response, findings),
        duration_s=response.phases.total,
        metrics=success_metrics(response, findings),
        evidence=answer_evidence(request, response, findings, body_bytes=_kept_body(config, state)),
    )


def _state(findings: list[Finding]) -> CheckState:
    if any(finding.severity == "down" for finding in findings):
        return CheckState.DOWN
    return CheckState.DEGRADED if findings else CheckState.UP


def _message(response: HttpResponse, findings: list[Finding]) -> str:
    if not findings:
        return f"{response.status_code} in {response.phases.total * 1000:.0f} ms"
    worst_first = sorted(findings, key=lambda finding: finding.severity != "down")
    shown = "; ".join(finding.message for finding in worst_first[:SHOWN_FINDINGS])
    more = len(findings) - SHOWN_FINDINGS
    return f"{shown}; and {more} more" if more > 0 else shown


def _kept_body(config: JsonObject, state: CheckState) -> int:
    wanted = get_text(config, "save_response", "failed")
    is_kept = wanted == "always" or (wanted == "failed" and state is not CheckState.UP)
    return get_int(config, "evidence_body_bytes", 1024) if is_kept else 0


def _down(message: str) -> Finding:
    return Finding(severity="down", message=message)


def _status_findings(config: JsonObject, response: HttpResponse) -> list[Finding]:
    expected = get_texts(config, "expected_status") or ("200-299",)
    if any(_covers(entry, response.status_code) for entry in expected):
        return []
    return [_down(f"status {response.status_code}, expected {', '.join(expected)}")]


def _covers(entry: str, status_code: int) -> bool:
    low, _, high = entry.partition("-")
    return int(low) <= status_code <= int(high or low)


def _transport_findings(config: JsonObject, response: HttpResponse) -> list[Finding]:
    findings = []
    versions = get_texts(config, "expected_http_versions")
    if versions and response.version not in versions:
        findings.append(_down(f"HTTP/{response.version}, expected {', '.join(versions)}"))
    if get_bool(config, "fail_if_ssl") and response.tls is not None:
        findings.append(_down("the answer came over TLS"))
    if get_bool(config, "fail_if_not_ssl") and response.tls is None:
        findings.append(_down("the answer came without TLS"))
    return findings


def _size_findings(config: JsonObject, response: HttpResponse) -> list[Finding]:
    smallest = get_number(config, "response_size_min")
    largest = get_number(config, "response_size_max")
    size = len(response.body)
    if response.body_truncated:
        size = max(size + 1, response.content_length)
    if smallest is not None and size < smallest:
        return [_down(f"the body has {size} bytes, expected at least {smallest:.0f}")]
    if largest is not None and size > largest:
        return [_down(f"the body has {size} bytes or more, expected at most {largest:.0f}")]
    return []


def _certificate_findings(config: JsonObject, days: float | None) -> list[Finding]:
    if days is None:
        return []
    ends = f"a certificate of the chain ends in {days:.1f} days"
    critical = get_number(config, "certificate_critical_days")
    warn = get_number(config, "certificate_warn_days")
    if critical is not None and days < critical:
        return [_down(ends)]
    if warn is not None and days < warn:
        return [Finding(severity="degraded", message=ends)]
    return []
