"""What is demanded of a TLS report: pure functions from report and configuration to findings."""

import re
from collections.abc import Iterator
from datetime import datetime

from detectviz.contracts.certificates import judge_expiry
from detectviz.contracts.config import get_bool, get_int, get_number, get_text, get_texts
from detectviz.contracts.network import Certificate, TlsReport
from detectviz.contracts.types import CheckState, JsonObject

Finding = tuple[CheckState, str]
_VERSION = r"TLSv?\s*(\d\.\d)"
_CURVE_BITS = {"Ed25519": 256, "Ed448": 448}


def find_all(config: JsonObject, report: TlsReport, now: datetime) -> Iterator[Finding]:
    """Yield everything wrong with ``report``, each with the state it deserves."""
    if not report.chain:
        yield CheckState.DOWN, "The server showed no certificate"
        return
    expiry = judge_expiry(
        report,
        now,
        degraded_days=get_number(config, "degraded_days"),
        down_days=get_number(config, "down_days"),
    )
    if expiry is not None:
        yield expiry
    yield from _names(config, report.chain[0])
    yield from _pins(config, report)
    yield from _protocol(config, report)
    if get_bool(config, "check_chain_order", default=True):
        yield from _order(report)
    for certificate in report.chain:
        yield from _strength(config, certificate)


def covers(certificate: Certificate, host: str) -> bool:
    """Return whether ``host`` is named by the certificate; ``*`` stands for one whole label."""
    wanted = host.rstrip(".").lower()
    for name in certificate.subject_alternative_names:
        pattern = name.rstrip(".").lower()
        if pattern == wanted:
            return True
        if pattern.startswith("*.") and wanted.partition(".")[2] == pattern[2:]:
            return True
    return False


def version_number(version: str) -> float:
    """Return 1.3 for ``TLS 1.3`` and ``TLSv1.3``; 0 for what is no TLS version."""
    found = re.search(_VERSION, version)
    if found:
        return float(found[1])
    return 1.0 if version.startswith("TLS") else 0.0


def _names(config: JsonObject, leaf: Certificate) -> Iterator[Finding]:
    missing = [name for name in get_texts(config, "required_names") if not covers(leaf, name)]
    if missing:
        yield CheckState.DOWN, f"Certificate is not valid for {', '.join(missing[:5])}"


def _pins(config: JsonObject, report: TlsReport) -> Iterator[Finding]:
    pins = {pin.replace(":", "").lower() for pin in get_texts(config, "pinned_sha256")}
    shown = {certificate.fingerprint_sha256.lower() for certificate in report.chain}
    if pins and not pins & shown:
        leaf = report.chain[0].fingerprint_sha256
        yield CheckState.DOWN, f"No certificate of the chain is pinned; the first is {leaf}"


def _protocol(config: JsonObject, report: TlsReport) -> Iterator[Finding]:
    oldest = get_text(config, "min_version")
    if version_number(report.version) < float(oldest):
        yield CheckState.DOWN, f"The server speaks {report.version}, older than TLS {oldest}"
    for weak in get_texts(config, "weak_ciphers"):
        if weak.upper() in report.cipher.upper():
            yield CheckState.DEGRADED, f"The cipher {report.cipher} is weak ({weak})"
            return


def _order(report: TlsReport) -> Iterator[Finding]:
    for certificate, following in zip(report.chain, report.chain[1:], strict=False):
        if certificate.issuer != following.subject:
            message = (
                f"The chain is out of order: {certificate.subject} is not followed by its issuer"
            )
            yield CheckState.DEGRADED, message
            return


def _strength(config: JsonObject, certificate: Certificate) -> Iterator[Finding]:
    kind, bits = _key_bits(certificate.public_key)
    least = get_int(config, "min_rsa_bits" if kind == "RSA" else "min_ec_bits")
    if bits and bits < least:
        key = certificate.public_key
        yield CheckState.DEGRADED, f"The key {key} of {certificate.subject} is shorter than {least}"
    is_root = certificate.issuer == certificate.subject
    algorithm = re.sub(r"[^a-z0-9]", "", certificate.signature_algorithm.lower())
    for weak in get_texts(config, "weak_signatures"):
        if not is_root and re.sub(r"[^a-z0-9]", "", weak.lower()) in algorithm:
            message = f"{certificate.subject} is signed with {certificate.signature_algorithm}"
            yield CheckState.DEGRADED, message
            return


def _key_bits(public_key: str) -> tuple[str, int]:
    """Return (kind, bits) of ``RSA 2048``, ``EC secp256r1``, ``Ed25519``; 0 when unknown."""
    kind, _, rest = public_key.partition(" ")
    digits = re.search(r"\d+", rest)
    return kind, _CURVE_BITS.get(kind) or (int(digits[0]) if digits else 0)
