"""libcurl handles ready to perform, and what they receive.

Setting thirty options costs as much as the exchange itself, so a handle that served a plain
request is kept and used again for requests that differ in nothing but the URL. Connections,
cookies and TLS sessions are never shared: the handle forbids reuse and is dropped after any error.
"""

import socket
from dataclasses import dataclass
from typing import Final, TypeAlias

import pycurl

from detectviz.contracts.errors import EgressDeniedError
from detectviz.contracts.network import HttpRequest
from detectviz.net.curl_options import Hop, first_hop, set_hop
from detectviz.net.guard import EgressPolicy

MOST_KEPT: Final = 512
MOST_PLANS: Final = 20_000
LARGEST_KEPT_BODY: Final = 4_096
_CONNECTION_LINE: Final = b"SSL connection using "

Shape: TypeAlias = tuple[object, ...]


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
    """Takes what libcurl hands over. Header lines go straight to a list: libcurl caps their sum."""

    __slots__ = ("_limit", "chunks", "header_lines", "is_truncated", "size", "tls_line")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.header_lines: list[bytes] = []
        self.reset()

    def reset(self) -> None:
        """Forget the last exchange."""
        self.chunks: list[bytes] = []
        self.size = 0
        self.is_truncated = False
        self.header_lines.clear()
        self.tls_line = b""

    def on_body(self, data: bytes) -> int | None:
        """Keep ``data`` up to the limit; returning short makes libcurl stop."""
        room = self._limit - self.size
        if len(data) <= room:
            self.chunks.append(data)
            self.size += len(data)
            return None
        self.chunks.append(data[:room])
        self.size = self._limit
        self.is_truncated = True
        return 0

    def on_debug(self, kind: int, text: bytes) -> None:
        """Pick the negotiated version and cipher, which libcurl tells nowhere else."""
        if kind == 0 and text.startswith(_CONNECTION_LINE):
            self.tls_line = text[len(_CONNECTION_LINE) :]

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers of the last answer: interim and refused ones come before it."""
        rows: list[tuple[str, str]] = []
        text = b"".join(self.header_lines).decode("latin-1").replace("\r\n", "\n")
        for line in text.split("\n"):
            name, colon, value = line.partition(":")
            if colon:
                rows.append((name, value.strip()))
            elif line.startswith("HTTP/"):
                rows.clear()
        return tuple(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A checked request: its first hop and, where its handle may be kept, the handle's shape."""

    request: HttpRequest
    hop: Hop
    shape: Shape | None


class Handle:
    """A libcurl handle with its callbacks."""

    __slots__ = ("curl", "guard", "receiver", "shape", "timeout_ms")

    def __init__(self, policy: EgressPolicy, limit: int, shape: Shape | None) -> None:
        self.curl = pycurl.Curl()
        self.receiver = Receiver(limit)
        self.guard = SocketGuard(policy)
        self.shape = shape
        self.timeout_ms = 0


class HandlePool:
    """Makes handles, keeps the plain ones; for one thread."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._free: dict[Shape, list[Handle]] = {}
        self._kept = 0
        self._plans: dict[int, Plan] = {}

    def plan(self, request: HttpRequest) -> Plan:
        """Check ``request``, once as long as the same object comes; raise ConfigurationError."""
        known = self._plans.get(id(request))
        if known is not None and known.request is request:
            return known
        made = Plan(request=request, hop=first_hop(request), shape=_shape(request))
        if len(request.body) > LARGEST_KEPT_BODY:
            return made
        if len(self._plans) >= MOST_PLANS:
            self._plans.clear()
        self._plans[id(request)] = made
        return made

    def take(self, plan: Plan, hop: Hop, timeout_s: float) -> Handle:
        """Return a handle for ``hop``, ready to perform."""
        shape = plan.shape if hop is plan.hop else None
        free = self._free.get(shape) if shape is not None else None
        if not free:
            return self._make(plan.request, hop, shape, timeout_s)
        self._kept -= 1
        handle = free.pop()
        handle.receiver.reset()
        handle.curl.setopt(pycurl.URL, hop.url.encode())
        timeout_ms = max(1, round(timeout_s * 1000))
        if timeout_ms != handle.timeout_ms:
            handle.curl.setopt(pycurl.TIMEOUT_MS, timeout_ms)
            handle.timeout_ms = timeout_ms
        return handle

    def give(self, handle: Handle) -> None:
        """Take back a handle whose exchange went well."""
        if handle.shape is None or self._kept >= MOST_KEPT or _has_cookies(handle.receiver):
            handle.curl.close()
            return
        self._free.setdefault(handle.shape, []).append(handle)
        self._kept += 1

    def clear(self) -> None:
        """Close every handle."""
        for handles in self._free.values():
            for handle in handles:
                handle.curl.close()
        self._free.clear()
        self._plans.clear()
        self._kept = 0

    def _make(
        self, request: HttpRequest, hop: Hop, shape: Shape | None, timeout_s: float
    ) -> Handle:
        handle = Handle(self._policy, request.max_body_bytes, shape)
        curl, receiver = handle.curl, handle.receiver
        set_hop(curl, request, hop, timeout_s=timeout_s)
        handle.timeout_ms = max(1, round(timeout_s * 1000))
        curl.setopt(pycurl.OPENSOCKETFUNCTION, handle.guard)
        curl.setopt(pycurl.WRITEFUNCTION, receiver.on_body)
        curl.setopt(pycurl.HEADERFUNCTION, receiver.header_lines.append)
        if hop.is_tls:
            curl.setopt(pycurl.VERBOSE, 1)
            curl.setopt(pycurl.DEBUGFUNCTION, receiver.on_debug)
        return handle


def _shape(request: HttpRequest) -> Shape | None:
    """Return all that a handle is set to except the URL; None when it must not be kept."""
    is_special = request.resolve or request.digest_auth or request.ntlm_auth or request.proxy_url
    if is_special or request.tls.server_name or len(request.body) > LARGEST_KEPT_BODY:
        return None
    return (
        request.url[:6].lower() == "https:",
        request.method,
        request.body,
        tuple(request.headers),
        request.max_body_bytes,
        request.version,
        request.ip_family,
        request.tls,
        request.basic_auth,
        request.source_address,
        request.decompress,
    )


def _has_cookies(receiver: Receiver) -> bool:
    return b"set-cookie:" in b"".join(receiver.header_lines).lower()
