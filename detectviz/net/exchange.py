"""One HTTP exchange on libcurl: hops, caps, timings and the report of what happened.

Redirects are followed here and not by libcurl, so that every hop is guarded, timed and shown, and
so that no header a caller added (an API key, say) travels to an origin it was not meant for.
"""

import re
import socket
import time
from typing import Final
from urllib.parse import urlsplit

import pycurl

from detectviz.contracts.errors import EgressDeniedError, NetworkError, PluginError
from detectviz.contracts.network import HttpRequest, HttpResponse, Phases, TlsReport
from detectviz.net.certificates import (
    HOSTNAME_MISMATCH,
    explain_verify_code,
    read_chain,
)
from detectviz.net.curl_errors import HopFailure, translate
from detectviz.net.curl_options import first_hop, next_hop, set_hop
from detectviz.net.guard import EgressPolicy
from detectviz.net.tls import examine

MAX_HEADER_BYTES: Final = 65_536
REDIRECT_STATUS: Final = frozenset({301, 302, 303, 307, 308})
_VERSIONS: Final = {1: "1.0", 2: "1.1", 3: "2", 30: "3"}
_CONNECTION_LINE: Final = b"SSL connection using "
_VERIFY_CODE: Final = re.compile(r"\((\d+)\)$")  # noqa: TID251 - our own constant, short input


class _HandedSocket(socket.socket):
    """A socket libcurl takes over by duplicating it; ours closes as soon as it is let go."""

    __slots__ = ()

    def __del__(self) -> None:
        self.close()


class SocketGuard:
    """Opens sockets for libcurl, after asking the policy about each address."""

    __slots__ = ("_policy", "denied")

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self.denied: EgressDeniedError | None = None

    def __call__(self, purpose: int, address: "pycurl.CurlSockAddr") -> socket.socket | int:
        host, port = address.addr[0], address.addr[1]
        try:
            self._policy.check(host, port)
        except EgressDeniedError as error:
            self.denied = error
            bad: int = pycurl.SOCKET_BAD
            return bad
        return _HandedSocket(address.family, address.socktype, address.protocol)


class Receiver:
    """Takes what libcurl hands over, up to the caps. Returning short makes libcurl stop."""

    __slots__ = (
        "_limit",
        "chunks",
        "header_bytes",
        "header_lines",
        "size",
        "tls_line",
        "truncated",
    )

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.chunks: list[bytes] = []
        self.size = 0
        self.truncated = False
        self.header_lines: list[bytes] = []
        self.header_bytes = 0
        self.tls_line = b""

    def on_body(self, data: bytes) -> int | None:
        room = self._limit - self.size
        if len(data) <= room:
            self.chunks.append(data)
            self.size += len(data)
            return None
        self.chunks.append(data[:room])
        self.size = self._limit
        self.truncated = True
        return 0

    def on_header(self, line: bytes) -> int | None:
        if line.startswith(b"HTTP/"):
            # Interim answers (100), proxies' and refused authentications' headers are replaced.
            self.header_lines.clear()
        self.header_lines.append(line)
        self.header_bytes += len(line)
        return None if self.header_bytes <= MAX_HEADER_BYTES else 0

    def on_debug(self, kind: int, text: bytes) -> None:
        # libcurl offers the negotiated version and cipher nowhere else.
        if kind == 0 and text.startswith(_CONNECTION_LINE):
            self.tls_line = text[len(_CONNECTION_LINE) :]

    def headers(self) -> tuple[tuple[str, str], ...]:
        rows = []
        for line in self.header_lines[1:]:
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                rows.append((name.strip(), value.strip()))
        return tuple(rows)


class Exchange:
    """The course of one request over its redirects.

    Ask ``handle()`` for the next libcurl handle, perform it, tell ``complete()`` how it went; the
    answer is the response, or None when another hop has to be performed.
    """

    def __init__(self, request: HttpRequest, policy: EgressPolicy) -> None:
        self._request = request
        self._policy = policy
        self._deadline = time.monotonic() + request.timeout_s
        self._hop = first_hop(request)
        self._redirects = 0
        self._spent = Phases()
        self._curl: pycurl.Curl | None = None
        self._receiver = Receiver(0)
        self._guard = SocketGuard(policy)

    def handle(self) -> pycurl.Curl:
        """Return a handle for the hop to perform next; raise when its options cannot be set."""
        curl = pycurl.Curl()
        self._receiver = Receiver(self._request.max_body_bytes)
        self._guard = SocketGuard(self._policy)
        left_s = self._deadline - time.monotonic()
        set_hop(curl, self._request, self._hop, timeout_s=max(left_s, 0.001))
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._guard)
        curl.setopt(pycurl.WRITEFUNCTION, self._receiver.on_body)
        curl.setopt(pycurl.HEADERFUNCTION, self._receiver.on_header)
        if self._is_tls:
            curl.setopt(pycurl.VERBOSE, 1)
            curl.setopt(pycurl.DEBUGFUNCTION, self._receiver.on_debug)
        self._curl = curl
        return curl

    def complete(self, error: pycurl.error | None) -> HttpResponse | None:
        """Judge the hop just performed; raise NetworkError when it failed."""
        curl, self._curl = self._curl, None
        if curl is None:
            raise RuntimeError("complete() without handle()")
        try:
            return self._complete(curl, error)
        finally:
            curl.close()

    def _complete(self, curl: pycurl.Curl, error: pycurl.error | None) -> HttpResponse | None:
        if error is not None and not self._receiver.truncated:
            raise self._failure(curl, error) from None
        self._spent = _add(self._spent, _phases(curl))
        status_code = curl.getinfo(pycurl.RESPONSE_CODE)
        target = curl.getinfo_raw(pycurl.REDIRECT_URL) if status_code in REDIRECT_STATUS else None
        if target and self._request.follow_redirects:
            self._redirect(curl, target.decode("utf-8", "replace"), status_code)
            return None
        return self._response(curl, status_code)

    @property
    def _is_tls(self) -> bool:
        return self._hop.url[:6].lower() == "https:"

    def _redirect(self, curl: pycurl.Curl, target: str, status_code: int) -> None:
        if self._redirects >= self._request.max_redirects:
            raise NetworkError(
                f"gave up after {self._redirects} redirects, the next led to {target}",
                phase="receive",
            )
        if urlsplit(target).scheme.lower() not in {"http", "https"}:
            raise NetworkError(f"redirected to {target}, which is not HTTP", phase="receive")
        self._redirects += 1
        cookies = curl.getinfo_raw(pycurl.INFO_COOKIELIST)
        self._hop = next_hop(self._hop, target, status_code, cookies)

    def _response(self, curl: pycurl.Curl, status_code: int) -> HttpResponse:
        receiver = self._receiver
        return HttpResponse(
            status_code=status_code,
            headers=receiver.headers(),
            body=b"".join(receiver.chunks),
            body_truncated=receiver.truncated,
            content_length=int(curl.getinfo(pycurl.CONTENT_LENGTH_DOWNLOAD_T)),
            effective_url=self._hop.url,
            version=_VERSIONS.get(curl.getinfo(pycurl.INFO_HTTP_VERSION), ""),
            redirects=self._redirects,
            remote_ip=curl.getinfo(pycurl.PRIMARY_IP) or "",
            remote_port=curl.getinfo(pycurl.PRIMARY_PORT),
            phases=self._spent,
            tls=self._tls_report(curl) if self._is_tls else None,
        )

    def _tls_report(self, curl: pycurl.Curl, failed_code: int = 0) -> TlsReport:
        # Raw: names in certificates need not be text that decodes.
        pems = [dict(rows).get(b"Cert", b"") for rows in curl.getinfo_raw(pycurl.INFO_CERTINFO)]
        chain = read_chain(pems)
        host = self._tls_host
        options = self._request.tls
        if failed_code:
            error = explain_verify_code(failed_code, chain, host)
        else:
            error = "" if options.verify else examine(pems, options, host)
        version, _, rest = self._receiver.tls_line.decode("latin-1").partition(" / ")
        return TlsReport(
            version=version.replace("TLSv", "TLS "),
            cipher=rest.partition(" / ")[0].strip(),
            verified=not error,
            verify_error=error,
            chain=chain,
        )

    @property
    def _tls_host(self) -> str:
        name = self._request.tls.server_name if self._hop.is_first_origin else ""
        return name or urlsplit(self._hop.url).hostname or ""

    def _failure(self, curl: pycurl.Curl, error: pycurl.error) -> PluginError:
        code, text = int(error.args[0]), str(error.args[1])
        denied = self._guard.denied
        if code == pycurl.E_COULDNT_CONNECT and denied is not None:
            return denied
        if code == pycurl.E_WRITE_ERROR:
            return NetworkError(
                f"the headers of the answer exceed {MAX_HEADER_BYTES} bytes", phase="receive"
            )
        parts = urlsplit(self._hop.url)
        address = curl.getinfo(pycurl.PRIMARY_IP)
        port = parts.port or (443 if self._is_tls else 80)
        report = None
        if code == pycurl.E_PEER_FAILED_VERIFICATION:
            found = _VERIFY_CODE.search(text)
            report = self._tls_report(curl, int(found[1]) if found else HOSTNAME_MISMATCH)
        return translate(
            HopFailure(
                code=code,
                text=text,
                target=f"{address or parts.hostname}:{port}",
                host=parts.hostname or "",
                timeout_s=self._request.timeout_s,
                os_errno=curl.getinfo(pycurl.OS_ERRNO),
                phase=self._phase_reached(curl),
                tls=report,
            )
        )

    def _phase_reached(self, curl: pycurl.Curl) -> str:
        if not curl.getinfo(pycurl.NAMELOOKUP_TIME):
            return "resolve"
        if not curl.getinfo(pycurl.CONNECT_TIME):
            return "connect"
        if self._is_tls and not curl.getinfo(pycurl.APPCONNECT_TIME):
            return "tls"
        return "receive"


def _phases(curl: pycurl.Curl) -> Phases:
    """Cut libcurl's running clock into phases; each of its times counts from the start."""
    resolved = curl.getinfo(pycurl.NAMELOOKUP_TIME)
    connected = max(curl.getinfo(pycurl.CONNECT_TIME), resolved)
    secured = max(curl.getinfo(pycurl.APPCONNECT_TIME), connected)
    first_byte = max(curl.getinfo(pycurl.STARTTRANSFER_TIME), secured)
    total = max(curl.getinfo(pycurl.TOTAL_TIME), first_byte)
    return Phases(
        resolve=resolved,
        connect=connected - resolved,
        tls=secured - connected,
        processing=first_byte - secured,
        transfer=total - first_byte,
    )


def _add(one: Phases, other: Phases) -> Phases:
    return Phases(
        resolve=one.resolve + other.resolve,
        connect=one.connect + other.connect,
        tls=one.tls + other.tls,
        processing=one.processing + other.processing,
        transfer=one.transfer + other.transfer,
    )
