"""What a TLS peer presented, told so that an operator can act on it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtensionOID

from detectviz.contracts.network import Certificate

CACHED_CERTIFICATES: Final = 4096

# X509_V_ERR_* numbers of OpenSSL's x509_vfy.h.
NO_LOCAL_ISSUER: Final = 20
HOSTNAME_MISMATCH: Final = 62
_REASONS: Final[dict[int, str]] = {
    18: "the certificate is self-signed",
    19: "the chain ends in a self-signed certificate that is not trusted",
    NO_LOCAL_ISSUER: "the issuer of the certificate is not trusted or an intermediate is missing",
    21: "the chain cannot be verified: an intermediate certificate is missing",
    23: "a certificate of the chain is revoked",
    24: "a certificate of the chain may not act as an authority",
    26: "the certificate is not meant for servers",
    66: "the key of the certificate is too weak",
    67: "the key of a certificate authority is too weak",
    68: "the certificate is signed with a digest that is too weak",
}
_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_MISMATCHES: Final = frozenset({HOSTNAME_MISMATCH, 64})


@lru_cache(maxsize=CACHED_CERTIFICATES)
def read_certificate(encoded: bytes) -> Certificate:
    """Read one PEM or DER certificate; raise ValueError when it is none."""
    return _describe(_load(encoded))


def _load(encoded: bytes) -> x509.Certificate:
    if encoded.startswith(b"-----"):
        return x509.load_pem_x509_certificate(encoded)
    return x509.load_der_x509_certificate(encoded)


def read_chain(encoded: Iterable[bytes]) -> tuple[Certificate, ...]:
    """Read a chain of PEM or DER certificates; one that cannot be read ends it."""
    chain: list[Certificate] = []
    for one in encoded:
        try:
            chain.append(read_certificate(one))
        except ValueError:
            break
    return tuple(chain)


def _describe(parsed: x509.Certificate) -> Certificate:
    algorithm = parsed.signature_algorithm_oid
    return Certificate(
        subject=parsed.subject.rfc4514_string(),
        issuer=parsed.issuer.rfc4514_string(),
        serial=f"{parsed.serial_number:x}",
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        subject_alternative_names=_alternative_names(parsed),
        fingerprint_sha256=parsed.fingerprint(hashes.SHA256()).hex(),
        public_key=_public_key(parsed),
        signature_algorithm=getattr(algorithm, "_name", algorithm.dotted_string),
    )


def _alternative_names(parsed: x509.Certificate) -> tuple[str, ...]:
    try:
        names = parsed.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    if not isinstance(names, x509.SubjectAlternativeName):
        return ()
    return tuple(
        str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)
    )


def _public_key(parsed: x509.Certificate) -> str:
    try:
        key = parsed.public_key()
    except (ValueError, TypeError):
        return "unknown"
    match key:
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size}"
        case ec.EllipticCurvePublicKey():
            return f"EC {key.curve.name}"
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case ed448.Ed448PublicKey():
            return "Ed448"
        case _:
            return type(key).__name__


def hostname_matches(certificate: Certificate, host: str) -> bool:
    """Tell whether ``host`` is named by the certificate (RFC 9525: names only in the SAN)."""
    wanted = host.rstrip(".").lower()
    names = [name.rstrip(".").lower() for name in certificate.subject_alternative_names]
    try:
        literal = str(ip_address(wanted))
    except ValueError:
        return any(_name_matches(name, wanted) for name in names)
    return literal in names


def _name_matches(pattern: str, host: str) -> bool:
    if not pattern.startswith("*."):
        return pattern == host
    _, dot, rest = host.partition(".")
    return bool(dot) and rest == pattern[2:]


def explain_verify_code(code: int, chain: Sequence[Certificate], host: str) -> str:
    """Turn OpenSSL's verify result into a sentence about this chain; empty when it is fine."""
    if code == 0:
        return ""
    if code == _EXPIRED and chain:
        oldest = min(chain, key=lambda certificate: certificate.not_after)
        return f"certificate expired on {oldest.not_after:%Y-%m-%d %H:%M} UTC ({oldest.subject})"
    if code == _NOT_YET_VALID and chain:
        newest = max(chain, key=lambda certificate: certificate.not_before)
        return f"certificate is not valid before {newest.not_before:%Y-%m-%d %H:%M} UTC"
    if code in _MISMATCHES:
        return _mismatch(chain, host)
    return _REASONS.get(code, f"certificate verification failed (OpenSSL code {code})")


def _mismatch(chain: Sequence[Certificate], host: str) -> str:
    names = ", ".join(chain[0].subject_alternative_names[:5]) if chain else ""
    return f"certificate is not valid for {host}; it names {names or 'no host'}"


def find_fault(
    encoded: Sequence[bytes], *, host: str, now: datetime, roots: Sequence[x509.Certificate]
) -> str:
    """Say what is wrong with a chain that was accepted unverified; empty when nothing is.

    For reports only: what may be trusted is decided by OpenSSL during the handshake.
    """
    chain = read_chain(encoded)
    if not chain or len(chain) != len(encoded):
        return "the peer sent no certificate that can be read"
    if any(now > certificate.not_after for certificate in chain):
        return explain_verify_code(_EXPIRED, chain, host)
    if any(now < certificate.not_before for certificate in chain):
        return explain_verify_code(_NOT_YET_VALID, chain, host)
    if not hostname_matches(chain[0], host):
        return _mismatch(chain, host)
    return _find_untrusted([_load(one) for one in encoded], roots)


def _find_untrusted(
    presented: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]
) -> str:
    """Follow issuers up to a trusted root, checking each signature."""
    trusted = {root.fingerprint(hashes.SHA256()) for root in roots}
    current, seen = presented[0], 0
    while seen <= len(presented):
        if current.fingerprint(hashes.SHA256()) in trusted:
            return ""
        if any(_is_issued_by(current, root) for root in roots):
            return ""
        if current.subject == current.issuer:
            return _REASONS[18 if seen == 0 else 19]
        issuer = next((one for one in presented if _is_issued_by(current, one)), None)
        if issuer is None:
            return _REASONS[NO_LOCAL_ISSUER]
        current, seen = issuer, seen + 1
    return _REASONS[NO_LOCAL_ISSUER]


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm all mean no
        return False
    return True


def pem_to_roots(pem: str) -> tuple[x509.Certificate, ...]:
    """Parse a PEM bundle given in a configuration; raise ValueError when it holds none."""
    return tuple(x509.load_pem_x509_certificates(pem.encode()))
