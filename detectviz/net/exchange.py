"""One HTTP exchange on libcurl: hops, caps, timings and the report of what happened.

Redirects are followed here and not by libcurl, so that every hop is guarded, timed and shown, and
so that no header a caller added (an API key, say) travels to an origin it was not meant for.
"""

import re
import time
from typing import Final
from urllib.parse import urlsplit

import pycurl

from detectviz.contracts.errors import NetworkError, PluginError
from detectviz.contracts.network import HttpRequest, HttpResponse, Phases, TlsReport
from detectviz.net.certificates import (
    HOSTNAME_MISMATCH,
    explain_verify_code,
    read_chain,
)
from detectviz.net.curl_errors import HopFailure, translate
from detectviz.net.curl_options import next_hop
from detectviz.net.handles import Handle, HandlePool
from detectviz.net.tls import examine

MAX_HEADER_BYTES: Final = 65_536
REDIRECT_STATUS: Final = frozenset({301, 302, 303, 307, 308})
_VERSIONS: Final = {1: "1.0", 2: "1.1", 3: "2", 30: "3"}
_VERIFY_CODE: Final = re.compile(r"\((\d+)\)$")  # noqa: TID251 - our own constant, short input


class Exchange:
    """The course of one request over its redirects.

    Ask ``handle()`` for the next libcurl handle, perform it, tell ``complete()`` how it went; the
    answer is the response, or None when another hop has to be performed.
    """

    def __init__(self, request: HttpRequest, pool: HandlePool) -> None:
        self._request = request
        self._pool = pool
        self._plan = pool.plan(request)
        self._hop = self._plan.hop
        self._deadline = time.monotonic() + request.timeout_s
        self._redirects = 0
        self._spent: Phases | None = None
        self._current: Handle | None = None

    def handle(self) -> pycurl.Curl:
        """Return a handle for the hop to perform next; raise when its options cannot be set."""
        left_s = self._request.timeout_s
        if self._redirects:
            left_s = max(0.001, self._deadline - time.monotonic())
        self._current = self._pool.take(self._plan, self._hop, left_s)
        return self._current.curl

    def complete(self, error: pycurl.error | None) -> HttpResponse | None:
        """Judge the hop just performed; raise NetworkError when it failed."""
        handle, self._current = self._current, None
        if handle is None:
            raise RuntimeError("complete() without handle()")
        receiver = handle.receiver
        if error is not None and not receiver.is_truncated:
            failure = self._failure(handle, error)
            handle.curl.close()
            raise failure from None
        if sum(map(len, receiver.header_lines)) > MAX_HEADER_BYTES:
            raise NetworkError(
                f"the headers of the answer exceed {MAX_HEADER_BYTES} bytes", phase="receive"
            )
        response = self._answer(handle)
        if error is None:
            self._pool.give(handle)
        else:
            handle.curl.close()
        return response

    def _answer(self, handle: Handle) -> HttpResponse | None:
        curl = handle.curl
        phases = _phases(curl)
        self._spent = phases if self._spent is None else _add(self._spent, phases)
        status_code = curl.getinfo(pycurl.RESPONSE_CODE)
        if status_code in REDIRECT_STATUS and self._request.follow_redirects:
            target = curl.getinfo_raw(pycurl.REDIRECT_URL)
            if target:
                self._redirect(curl, target.decode("utf-8", "replace"), status_code)
                return None
        return self._response(handle, status_code, self._spent)

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

    def _response(self, handle: Handle, status_code: int, phases: Phases) -> HttpResponse:
        curl, receiver = handle.curl, handle.receiver
        return HttpResponse(
            status_code=status_code,
            headers=receiver.headers(),
            body=b"".join(receiver.chunks),
            body_truncated=receiver.is_truncated,
            content_length=int(curl.getinfo(pycurl.CONTENT_LENGTH_DOWNLOAD_T)),
            effective_url=self._hop.url,
            version=_VERSIONS.get(curl.getinfo(pycurl.INFO_HTTP_VERSION), ""),
            redirects=self._redirects,
            remote_ip=curl.getinfo(pycurl.PRIMARY_IP) or "",
            remote_port=curl.getinfo(pycurl.PRIMARY_PORT),
            phases=phases,
            tls=self._tls_report(handle) if self._hop.is_tls else None,
        )

    def _tls_report(self, handle: Handle, failed_code: int = 0) -> TlsReport:
        # Raw: names in certificates need not be text that decodes.
        found = handle.curl.getinfo_raw(pycurl.INFO_CERTINFO)
        pems = [dict(rows).get(b"Cert", b"") for rows in found]
        chain = read_chain(pems)
        host = self._tls_host
        options = self._request.tls
        if failed_code:
            error = explain_verify_code(failed_code, chain, host)
        else:
            error = "" if options.verify else examine(pems, options, host)
        version, _, rest = handle.receiver.tls_line.decode("latin-1").partition(" / ")
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

    def _failure(self, handle: Handle, error: pycurl.error) -> PluginError:
        curl = handle.curl
        code, text = int(error.args[0]), str(error.args[1])
        denied = handle.guard.denied
        if code == pycurl.E_COULDNT_CONNECT and denied is not None:
            return denied
        parts = urlsplit(self._hop.url)
        address = curl.getinfo(pycurl.PRIMARY_IP)
        port = parts.port or (443 if self._hop.is_tls else 80)
        report = None
        if code == pycurl.E_PEER_FAILED_VERIFICATION:
            found = _VERIFY_CODE.search(text)
            report = self._tls_report(handle, int(found[1]) if found else HOSTNAME_MISMATCH)
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
        if self._hop.is_tls and not curl.getinfo(pycurl.APPCONNECT_TIME):
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
