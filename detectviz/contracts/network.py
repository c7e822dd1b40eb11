"""The network as a plugin sees it. The host implements it in ``detectviz.net``.

Every call is guarded (egress policy checked on the address really connected to), capped in bytes
and bounded by the deadline of the check; a plugin never opens a socket of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

IpFamily = Literal["auto", "ipv4", "ipv6"]
HttpVersion = Literal["auto", "1.0", "1.1", "2", "3"]
TlsVersion = Literal["1.0", "1.1", "1.2", "1.3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """How to speak TLS. PEM material is text, never a path."""

    verify: bool = True
    server_name: str = ""
    ca_pem: str = ""
    certificate_pem: str = ""
    private_key_pem: str = ""
    private_key_password: str = ""
    min_version: TlsVersion = "1.2"
    max_version: TlsVersion = "1.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate of the chain a peer presented, leaf first."""

    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    subject_alternative_names: tuple[str, ...] = ()
    fingerprint_sha256: str = ""
    public_key: str = ""
    signature_algorithm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsReport:
    """What was negotiated. ``verified`` is false when ``TlsOptions.verify`` was off and bad."""

    version: str
    cipher: str
    verified: bool
    verify_error: str = ""
    chain: tuple[Certificate, ...] = ()

    @property
    def earliest_expiry(self) -> datetime | None:
        """The first ``not_after`` of the chain, as blackbox_exporter reports it."""
        return min((certificate.not_after for certificate in self.chain), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Seconds spent in each phase of one exchange, named as blackbox_exporter names them."""

    resolve: float = 0.0
    connect: float = 0.0
    tls: float = 0.0
    processing: float = 0.0
    transfer: float = 0.0

    @property
    def total(self) -> float:
        """Seconds from start to the last byte."""
        return self.resolve + self.connect + self.tls + self.processing + self.transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP exchange, redirects included. Sizes in bytes, times in seconds."""

    url: str
    method: str = "GET"
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    timeout_s: float = 10.0
    max_redirects: int = 10
    follow_redirects: bool = True
    max_body_bytes: int = 1_048_576
    version: HttpVersion = "auto"
    ip_family: IpFamily = "auto"
    tls: TlsOptions = field(default_factory=TlsOptions)
    basic_auth: tuple[str, str] | None = None
    digest_auth: tuple[str, str] | None = None
    ntlm_auth: tuple[str, str] | None = None
    proxy_url: str = ""
    source_address: str = ""
    resolve: Mapping[str, str] = field(default_factory=dict)
    decompress: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """The last response of an exchange. ``body`` is decoded and cut at ``max_body_bytes``."""

    status_code: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    body_truncated: bool
    content_length: int
    effective_url: str
    version: str
    redirects: int
    remote_ip: str
    remote_port: int
    phases: Phases
    tls: TlsReport | None = None

    def header(self, name: str) -> str | None:
        """Return the first header called ``name``, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Addresses a name resolved to, in the order they will be tried."""

    addresses: tuple[str, ...]
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PingOptions:
    """One ping run."""

    count: int = 3
    spacing_s: float = 0.2
    packet_size: int = 56
    packet_timeout_s: float = 2.0
    ip_family: IpFamily = "auto"
    ttl: int = 64
    dont_fragment: bool = False
    source_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PingReport:
    """What came back. ``round_trips_s`` has one entry per answered packet."""

    address: str
    sent: int
    round_trips_s: tuple[float, ...]
    hop_limit: int | None
    resolve_s: float
    errors: tuple[str, ...] = ()


class Connection(Protocol):
    """A guarded byte stream."""

    @property
    def remote_ip(self) -> str:
        """Address really connected to."""

    @property
    def phases(self) -> Phases:
        """Resolve, connect and TLS seconds so far."""

    @property
    def tls(self) -> TlsReport | None:
        """Set once TLS is up."""

    async def send(self, data: bytes) -> None:
        """Write all of ``data``."""

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        """Read what is there, at most ``max_bytes``; empty at end of stream."""

    async def receive_exactly(self, count: int) -> bytes:
        """Read ``count`` bytes; raise NetworkError when the stream ends before."""

    async def start_tls(self, options: TlsOptions, *, server_name: str) -> TlsReport:
        """Upgrade the stream (STARTTLS)."""

    async def close(self) -> None:
        """Close; never raises."""


class Network(Protocol):
    """What a collector may do on the network, inside the engine's loop."""

    async def fetch(self, request: HttpRequest) -> HttpResponse:
        """Run one HTTP exchange; raise NetworkError with the phase it failed in."""

    async def resolve(self, host: str, *, ip_family: IpFamily = "auto") -> Resolution:
        """Resolve ``host`` as the system does."""

    async def connect(
        self,
        host: str,
        port: int,
        *,
        tls: TlsOptions | None = None,
        ip_family: IpFamily = "auto",
        source_address: str = "",
        timeout_s: float = 10.0,
    ) -> Connection:
        """Open a TCP connection, with TLS from the first byte when ``tls`` is given."""

    async def exchange_datagram(
        self, host: str, port: int, payload: bytes, *, ip_family: IpFamily, timeout_s: float
    ) -> tuple[bytes, str]:
        """Send one UDP datagram and return the first answer and the address it came from."""

    async def ping(self, host: str, options: PingOptions) -> PingReport:
        """Send ICMP echo requests."""


class HttpClient(Protocol):
    """What a notifier may do on the network, from a worker thread."""

    def fetch(self, request: HttpRequest) -> HttpResponse:
        """Run one HTTP exchange; raise NetworkError with the phase it failed in."""

    def require_allowed(self, host: str, port: int) -> None:
        """Raise EgressDeniedError unless every address of ``host`` may be reached."""
