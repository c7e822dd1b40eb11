"""What collectors say about the certificates they meet: metrics, evidence, days left."""

from collections.abc import Iterator
from datetime import datetime

from detectviz.contracts.collector import Metric
from detectviz.contracts.network import TlsReport
from detectviz.contracts.types import CheckState, JsonObject

_DAY_S = 86_400


def tls_metrics(report: TlsReport) -> Iterator[Metric]:
    """Yield the metrics of a TLS connection, named as blackbox_exporter names them."""
    yield Metric(name="probe_tls_version_info", value=1.0, labels={"version": report.version})
    yield Metric(name="probe_tls_cipher_info", value=1.0, labels={"cipher": report.cipher})
    expiry = report.earliest_expiry
    if expiry is None:
        return
    yield Metric(name="probe_ssl_earliest_cert_expiry", value=expiry.timestamp())
    leaf = report.chain[0]
    yield Metric(
        name="probe_ssl_last_chain_info",
        value=1.0,
        labels={
            "fingerprint_sha256": leaf.fingerprint_sha256,
            "subject": leaf.subject,
            "issuer": leaf.issuer,
            "subjectalternative": ",".join(leaf.subject_alternative_names),
            "serialnumber": leaf.serial,
        },
    )


def tls_evidence(report: TlsReport) -> JsonObject:
    """Return the connection's TLS for a person to read; certificates leaf first."""
    return {
        "version": report.version,
        "cipher": report.cipher,
        "verified": report.verified,
        "verify_error": report.verify_error,
        "chain": [
            {
                "subject": certificate.subject,
                "issuer": certificate.issuer,
                "serial": certificate.serial,
                "not_before": certificate.not_before.isoformat(),
                "not_after": certificate.not_after.isoformat(),
                "names": list(certificate.subject_alternative_names[:50]),
                "fingerprint_sha256": certificate.fingerprint_sha256,
                "public_key": certificate.public_key,
                "signature_algorithm": certificate.signature_algorithm,
            }
            for certificate in report.chain[:10]
        ],
    }


def judge_expiry(
    report: TlsReport, now: datetime, *, degraded_days: float | None, down_days: float | None
) -> tuple[CheckState, str] | None:
    """Return the state and sentence for the certificate that expires first, None when all is well.

    A threshold counts whole and part days left; None switches it off. An expired one is down.
    """
    first = min(report.chain, key=lambda certificate: certificate.not_after, default=None)
    if first is None:
        return None
    days = (first.not_after - now).total_seconds() / _DAY_S
    when = f"{first.not_after:%Y-%m-%d %H:%M} UTC ({first.subject})"
    if days < 0:
        return CheckState.DOWN, f"Certificate expired on {when}"
    sentence = f"Certificate expires in {days:.1f} days, on {when}"
    if down_days is not None and days < down_days:
        return CheckState.DOWN, sentence
    if degraded_days is not None and days < degraded_days:
        return CheckState.DEGRADED, sentence
    return None
