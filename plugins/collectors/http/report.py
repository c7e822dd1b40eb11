"""Metrics and evidence of one exchange."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from detectviz.contracts.collector import Metric
from detectviz.contracts.network import HttpRequest, HttpResponse, Phases, TlsReport
from detectviz.contracts.types import JsonObject, JsonValue
from plugins.collectors.http.assertions import Finding

MASK: Final = "***"
SHORTEST_SECRET: Final = 4
MAX_HEADERS: Final = 100
MAX_HEADER_CHARACTERS: Final = 500
# Leaves room for all else within the 64 KiB an evidence may have.
MAX_BODY_JSON_BYTES: Final = 32_768
MAX_FINDINGS: Final = 20
MAX_CERTIFICATES: Final = 5
_PHASE_LABELS: Final = {
    name: {"phase": name} for name in ("resolve", "connect", "tls", "processing", "transfer")
}
_SECRET_WORDS: Final = ("cookie", "token", "secret", "authoriz", "api-key", "apikey", "password")


def success_metrics(response: HttpResponse, findings: Sequence[Finding]) -> tuple[Metric, ...]:
    """Return the metrics of an answer, named as blackbox_exporter names them."""
    is_regex = any(finding.is_regex for finding in findings)
    measured = (
        ("probe_http_content_length", response.content_length),
        ("probe_http_uncompressed_body_length", len(response.body)),
        ("probe_dns_lookup_time_seconds", response.phases.resolve),
    )
    plain = {
        "probe_http_status_code": response.status_code,
        "probe_http_redirects": response.redirects,
        "probe_http_version": float(response.version or 0),
        "probe_http_ssl": float(response.tls is not None),
        "probe_http_failed_assertions": len(findings),
        "probe_failed_due_to_regex": float(is_regex),
        "probe_ip_protocol": 6.0 if ":" in response.remote_ip else 4.0,
    }
    modified = _timestamp(response.header("last-modified"))
    if modified is not None:
        plain["probe_http_last_modified_timestamp_seconds"] = modified
    return (
        *[_constant(name, value) for name, value in plain.items()],
        *[Metric(name=name, value=value) for name, value in measured],
        *_phase_metrics(response.phases),
        *tls_metrics(response.tls),
    )


@lru_cache(maxsize=4096)
def _constant(name: str, value: float) -> Metric:
    """Make a metric of a value that comes again and again, once."""
    return Metric(name=name, value=value)


def failure_metrics(tls: TlsReport | None) -> tuple[Metric, ...]:
    """Return the metrics when no answer came."""
    plain = {
        "probe_http_status_code": 0.0,
        "probe_http_ssl": float(tls is not None),
        "probe_failed_due_to_regex": 0.0,
    }
    return (*(Metric(name=name, value=value) for name, value in plain.items()), *tls_metrics(tls))


def tls_metrics(tls: TlsReport | None) -> tuple[Metric, ...]:
    """Return what is known of the TLS connection and its certificates."""
    if tls is None:
        return ()
    metrics = []
    if tls.earliest_expiry is not None:
        expiry = tls.earliest_expiry.timestamp()
        metrics.append(Metric(name="probe_ssl_earliest_cert_expiry", value=expiry))
    if tls.version:
        metrics.append(_info("probe_tls_version_info", "version", tls.version))
        metrics.append(_info("probe_tls_cipher_info", "cipher", tls.cipher))
    return tuple(metrics)


def _info(name: str, label: str, value: str) -> Metric:
    return Metric(name=name, value=1.0, labels={label: value})


def _phase_metrics(phases: Phases) -> tuple[Metric, ...]:
    return tuple(
        [
            Metric(name="probe_http_duration_seconds", value=seconds, labels=_PHASE_LABELS[phase])
            for phase, seconds in _phases(phases).items()
        ]
    )


def _phases(phases: Phases) -> dict[str, float]:
    return {
        "resolve": phases.resolve,
        "connect": phases.connect,
        "tls": phases.tls,
        "processing": phases.processing,
        "transfer": phases.transfer,
    }


@lru_cache(maxsize=4096)
def _timestamp(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def request_line(request: HttpRequest) -> str:
    """Return method and URL, credentials in the URL masked."""
    return f"{request.method} {_without_userinfo(request.url)}"


def _without_userinfo(url: str) -> str:
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{MASK}@{host}")) if at else url


def answer_evidence(
    request: HttpRequest,
    response: HttpResponse,
    findings: Sequence[Finding],
    *,
    body_bytes: int,
    is_brief: bool,
) -> JsonObject:
    """Return what a person needs to see of an answer; ``body_bytes`` of the body at most."""
    evidence: dict[str, JsonValue] = {
        "request": request_line(request),
        "status": response.status_code,
        "http_version": response.version,
        "remote": f"{response.remote_ip} port {response.remote_port}",
    }
    if response.tls is not None:
        evidence["tls"] = tls_evidence(response.tls)
    if is_brief:
        return evidence
    evidence["phases_ms"] = {
        name: round(seconds * 1000, 3) for name, seconds in _phases(response.phases).items()
    }
    sent = _sent_credentials(request)
    evidence["headers"] = [_masked(*header, sent) for header in response.headers[:MAX_HEADERS]]
    evidence["body_size"] = len(response.body)
    evidence["body_truncated"] = response.body_truncated
    if response.redirects:
        evidence["redirects"] = response.redirects
        evidence["effective_url"] = _without_userinfo(response.effective_url)
    if findings:
        evidence["failed_assertions"] = [
            {"severity": finding.severity, "message": finding.message}
            for finding in findings[:MAX_FINDINGS]
        ]
    if body_bytes:
        evidence["body"] = _without(sent, _excerpt(response.body, body_bytes))
    return evidence


def tls_evidence(tls: TlsReport) -> JsonObject:
    """Return version, fault and chain."""
    return {
        "version": tls.version,
        "cipher": tls.cipher,
        "verified": tls.verified,
        "verify_error": tls.verify_error,
        "certificates": [
            {
                "subject": certificate.subject,
                "issuer": certificate.issuer,
                "not_before": certificate.not_before.isoformat(),
                "not_after": certificate.not_after.isoformat(),
                "names": list(certificate.subject_alternative_names[:20]),
                "fingerprint_sha256": certificate.fingerprint_sha256,
            }
            for certificate in tls.chain[:MAX_CERTIFICATES]
        ],
    }


def certificate_days(tls: TlsReport | None, now: datetime) -> float | None:
    """Return for how many days every certificate of the chain is still valid."""
    if tls is None or tls.earliest_expiry is None:
        return None
    return (tls.earliest_expiry - now).total_seconds() / 86_400


def _is_secret_name(name: str) -> bool:
    lowered = name.lower()
    return any(word in lowered for word in _SECRET_WORDS)


def _masked(name: str, value: str, sent: Sequence[str]) -> list[str]:
    if _is_secret_name(name):
        return [name, MASK]
    return [name, _without(sent, value)[:MAX_HEADER_CHARACTERS]]


def _sent_credentials(request: HttpRequest) -> list[str]:
    """Return what an echoing server could send back: the host masks only what it gave us."""
    sent = [
        value.removeprefix("Bearer ") for name, value in request.headers if _is_secret_name(name)
    ]
    if request.basic_auth is not None:
        sent.append(base64.b64encode(":".join(request.basic_auth).encode()).decode())
    return [value for value in sent if len(value) >= SHORTEST_SECRET]


def _without(sent: Sequence[str], text: str) -> str:
    for value in sent:
        text = text.replace(value, MASK)
    return text


def _excerpt(body: bytes, limit: int) -> str:
    text = body[:limit].decode("utf-8", "replace")
    while text and len(json.dumps(text)) > MAX_BODY_JSON_BYTES:
        text = text[: len(text) // 2]
    return text
