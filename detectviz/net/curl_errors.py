"""libcurl's error numbers as sentences an operator understands, with the phase that failed."""

import errno
from dataclasses import dataclass
from typing import Final

import pycurl

from detectviz.contracts.errors import (
    CertificateError,
    ConfigurationError,
    DeadlineExceededError,
    NetworkError,
    PluginError,
)
from detectviz.contracts.network import TlsReport

_CONNECT_FAILURES: Final = {
    errno.ECONNREFUSED: "connection refused by {target}",
    errno.EHOSTUNREACH: "no route to {target}",
    errno.ENETUNREACH: "the network of {target} is unreachable",
    errno.ETIMEDOUT: "{target} did not answer the connection attempt",
    errno.ECONNRESET: "connection reset by {target}",
    errno.EADDRNOTAVAIL: "no local address or port is left to reach {target} from",
    errno.EACCES: "the system does not permit connecting to {target}",
}
_WAITING: Final = {
    "resolve": "resolving the name",
    "connect": "connecting",
    "tls": "the TLS handshake",
    "receive": "waiting for the answer",
}
_RECEIVE_FAILURES: Final = {
    pycurl.E_GOT_NOTHING: "{target} closed the connection without an answer",
    pycurl.E_RECV_ERROR: "the connection to {target} broke while receiving",
    pycurl.E_PARTIAL_FILE: "{target} closed the connection before the answer was complete",
    pycurl.E_BAD_CONTENT_ENCODING: "the answer of {target} cannot be decompressed",
    pycurl.E_HTTP2: "{target} broke the HTTP/2 protocol",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HopFailure:
    """What is known about a hop that failed. ``target`` is how to name the peer."""

    code: int
    text: str
    target: str
    host: str
    timeout_s: float
    os_errno: int = 0
    phase: str = "connect"
    tls: TlsReport | None = None


def translate(failure: HopFailure) -> PluginError:
    """Return the typed error for a failure of libcurl."""
    code = failure.code
    if code == pycurl.E_OPERATION_TIMEDOUT:
        doing = _WAITING[failure.phase]
        return DeadlineExceededError(
            f"timed out after {failure.timeout_s:g} s while {doing}"
            if failure.phase != "tls"
            else f"timed out after {failure.timeout_s:g} s in {doing}",
            phase=failure.phase,
        )
    if code in {pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY}:
        return NetworkError(f"cannot resolve {failure.host}", phase="resolve")
    if code == pycurl.E_COULDNT_CONNECT:
        return NetworkError(_connect_failure(failure), phase="connect")
    if code in _RECEIVE_FAILURES:
        sentence = _RECEIVE_FAILURES[code].format(target=failure.target)
        return NetworkError(f"{sentence} ({failure.text})", phase="receive")
    return _translate_rare(failure)


def _connect_failure(failure: HopFailure) -> str:
    known = _CONNECT_FAILURES.get(failure.os_errno)
    if known is not None:
        return known.format(target=failure.target)
    return f"cannot connect to {failure.target}: {failure.text}"


def _translate_rare(failure: HopFailure) -> PluginError:
    code, text = failure.code, failure.text
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        reason = failure.tls.verify_error if failure.tls else ""
        return CertificateError(reason or text, report=failure.tls)
    if code in {pycurl.E_SSL_CERTPROBLEM, pycurl.E_SSL_CACERT_BADFILE, pycurl.E_SSL_CIPHER}:
        return ConfigurationError(f"the TLS material cannot be used: {text}", field="/tls")
    if code == pycurl.E_SSL_CONNECT_ERROR:
        return NetworkError(f"the TLS handshake with {failure.target} failed: {text}", phase="tls")
    if code in {pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_URL_MALFORMAT}:
        return NetworkError(f"the address cannot be used: {text}", phase="send", permanent=True)
    if code == pycurl.E_SEND_ERROR:
        return NetworkError(f"the connection to {failure.target} broke while sending", phase="send")
    return NetworkError(f"the exchange with {failure.target} failed: {text}", phase=failure.phase)
