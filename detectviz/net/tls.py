"""TLS contexts for byte streams, and what was negotiated on them."""

import ssl
import warnings
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from detectviz.contracts.errors import CertificateError, ConfigurationError, NetworkError
from detectviz.contracts.network import TlsOptions, TlsReport
from detectviz.net.certificates import (
    explain_verify_code,
    find_fault,
    pem_to_roots,
    read_chain,
)
from detectviz.net.trust import bundle_certificates, bundle_path

_VERSIONS: Final = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_WEAK: Final = frozenset({"1.0", "1.1"})


@lru_cache(maxsize=64)
def client_context(options: TlsOptions) -> ssl.SSLContext:
    """Build (and keep, for the trust bundle takes 20 ms to read) the context for ``options``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = options.verify
    context.verify_mode = ssl.CERT_REQUIRED if options.verify else ssl.CERT_NONE
    if options.min_version in _WEAK:
        context.set_ciphers("DEFAULT@SECLEVEL=0")
    try:
        if options.verify and options.ca_pem:
            context.load_verify_locations(cadata=options.ca_pem)
        elif options.verify:
            context.load_verify_locations(cafile=bundle_path())
        if options.certificate_pem:
            _load_client_certificate(context, options)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError(
            f"the TLS material cannot be used: {error}", field="/tls"
        ) from error
    _set_versions(context, options)
    return context


def _set_versions(context: ssl.SSLContext, options: TlsOptions) -> None:
    # Watching old servers is the purpose: Python's warning about TLS 1.0 and 1.1 says nothing new.
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = _VERSIONS[options.min_version]
        context.maximum_version = _VERSIONS[options.max_version]


def _load_client_certificate(context: ssl.SSLContext, options: TlsOptions) -> None:
    """Hand PEM text to OpenSSL, which reads client certificates from files only."""
    with TemporaryDirectory(prefix="detectviz-tls-") as folder:
        path = Path(folder) / "client.pem"
        path.touch(mode=0o600)
        path.write_text(f"{options.certificate_pem}\n{options.private_key_pem}\n")
        context.load_cert_chain(path, password=options.private_key_password or None)


def presented_chain(ssl_object: ssl.SSLObject) -> tuple[bytes, ...]:
    """Return the chain as DER, leaf first; only the leaf where Python hides the rest."""
    # Private until Python 3.13 makes get_unverified_chain() public.
    inner = getattr(ssl_object, "_sslobj", None)
    getter = getattr(inner, "get_unverified_chain", None)
    with suppress(Exception):
        found = getter() if getter is not None else None
        if found:
            return tuple(
                item if isinstance(item, bytes) else item.public_bytes(2) for item in found
            )
    leaf = ssl_object.getpeercert(binary_form=True)
    return (leaf,) if leaf else ()


def report(ssl_object: ssl.SSLObject, options: TlsOptions, host: str) -> TlsReport:
    """Describe a finished handshake; a chain accepted unverified is examined for its fault."""
    chain_der = presented_chain(ssl_object)
    fault = "" if options.verify else examine(chain_der, options, host)
    cipher = ssl_object.cipher()
    return TlsReport(
        version=(ssl_object.version() or "").replace("TLSv", "TLS "),
        cipher=cipher[0] if cipher else "",
        verified=not fault,
        verify_error=fault,
        chain=read_chain(chain_der),
    )


def examine(encoded: Sequence[bytes], options: TlsOptions, host: str) -> str:
    """Say what verification would have found wrong."""
    roots = pem_to_roots(options.ca_pem) if options.ca_pem else bundle_certificates(bundle_path())
    return find_fault(encoded, host=host, now=datetime.now(UTC), roots=roots)


def handshake_error(error: Exception, target: str, host: str) -> NetworkError:
    """Turn a failed handshake into a typed error."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = explain_verify_code(error.verify_code, (), host) or error.verify_message
        return CertificateError(reason)
    if isinstance(error, ssl.SSLError):
        text = error.reason or str(error)
        return NetworkError(
            f"the TLS handshake with {target} failed: {text.replace('_', ' ').lower()}", phase="tls"
        )
    return NetworkError(f"{target} closed the connection during the TLS handshake", phase="tls")
