"""Networks that behave badly, for proving that plugins bear it."""

import asyncio
from collections.abc import Sequence
from typing import Final, Literal

from detectviz.contracts.errors import (
    CertificateError,
    DeadlineExceededError,
    EgressDeniedError,
    NetworkError,
)
from detectviz.contracts.network import (
    Connection,
    HttpRequest,
    HttpResponse,
    IpFamily,
    Phases,
    PingOptions,
    PingReport,
    Resolution,
    TlsOptions,
    TlsReport,
)

Misbehaviour = Literal[
    "resolve", "connect", "tls", "send", "receive", "certificate", "deadline", "denied",
    "hang", "empty", "garbage",
]  # fmt: skip
FAILURES: Final[tuple[Misbehaviour, ...]] = (
    "resolve", "connect", "tls", "send", "receive", "certificate", "deadline", "denied",
)  # fmt: skip
GARBAGE: Final = bytes(range(256)) * 64


class BadConnection:
    """Opens, then ends at once or speaks nonsense."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.remote_ip = "127.0.0.1"
        self.phases = Phases(connect=0.001)
        self.tls: TlsReport | None = None

    async def send(self, data: bytes) -> None:
        """Swallow ``data``."""

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        """Return nonsense once, then the end."""
        taken, self._data = self._data[:max_bytes], self._data[max_bytes:]
        return taken

    async def receive_exactly(self, count: int) -> bytes:
        """Return nonsense while there is enough of it."""
        taken = await self.receive(count)
        if len(taken) < count:
            raise NetworkError("the peer closed the connection", phase="receive")
        return taken

    async def start_tls(self, options: TlsOptions, *, server_name: str) -> TlsReport:
        """Refuse the handshake."""
        raise NetworkError("the TLS handshake failed", phase="tls")

    async def close(self) -> None:
        """Close."""


class BadNetwork:
    """contracts' Network that fails, hangs or answers nonsense, the same way every time."""

    def __init__(self, misbehaviour: Misbehaviour) -> None:
        self._misbehaviour = misbehaviour
        self.requests: list[HttpRequest] = []

    async def _misbehave(self) -> bytes:
        how = self._misbehaviour
        if how == "hang":
            await asyncio.Event().wait()
        if how == "certificate":
            raise CertificateError("certificate expired on 2020-01-01")
        if how == "deadline":
            raise DeadlineExceededError("timed out after 1 s", phase="connect")
        if how == "denied":
            raise EgressDeniedError("connecting to 169.254.169.254 is not allowed")
        if how in {"empty", "garbage"}:
            return GARBAGE if how == "garbage" else b""
        raise NetworkError(f"it failed in {how}", phase=how)

    async def fetch(self, request: HttpRequest) -> HttpResponse:
        """Answer with nonsense, or fail."""
        self.requests.append(request)
        body = await self._misbehave()
        said = "; ".join(value for _, value in request.headers).encode()
        return HttpResponse(
            status_code=599,
            headers=(("", ""), ("X-Echo", said.decode("latin-1")), ("Last-Modified", "never")),
            body=said + body,
            body_truncated=True,
            content_length=-1,
            effective_url=request.url,
            version="",
            redirects=0,
            remote_ip="",
            remote_port=0,
            phases=Phases(),
        )

    async def resolve(self, host: str, *, ip_family: IpFamily = "auto") -> Resolution:
        """Resolve to loopback, or fail."""
        await self._misbehave()
        return Resolution(addresses=("127.0.0.1",), duration_s=0.001)

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
        """Connect to something that speaks nonsense, or fail."""
        connection = BadConnection(await self._misbehave())
        if tls is not None:
            connection.tls = TlsReport(version="", cipher="", verified=False, verify_error="bad")
        return connection

    async def exchange_datagram(
        self, host: str, port: int, payload: bytes, *, ip_family: IpFamily, timeout_s: float
    ) -> tuple[bytes, str]:
        """Answer with nonsense, or fail."""
        return await self._misbehave(), "127.0.0.1"

    async def ping(self, host: str, options: PingOptions) -> PingReport:
        """Lose every packet, or fail."""
        await self._misbehave()
        return PingReport(
            address="127.0.0.1",
            sent=options.count,
            round_trips_s=(),
            hop_limit=None,
            resolve_s=0.0,
            errors=("destination unreachable",),
        )

    async def aclose(self) -> None:
        """Nothing is open."""


def every_misbehaviour() -> Sequence[Misbehaviour]:
    """List what a plugin must bear and still answer."""
    return (*FAILURES, "empty", "garbage")
