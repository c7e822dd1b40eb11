"""The network given to collectors: everything in this package behind one object."""

from detectviz.contracts.network import (
    HttpRequest,
    HttpResponse,
    IpFamily,
    PingOptions,
    PingReport,
    Resolution,
    TlsOptions,
)
from detectviz.net.datagram import exchange_datagram
from detectviz.net.guard import EgressPolicy
from detectviz.net.http import CurlHttp
from detectviz.net.icmp import Pinger
from detectviz.net.resolver import Resolver
from detectviz.net.streams import StreamConnection, StreamConnector


class EngineNetwork:
    """contracts' Network for one event loop; make it anywhere, use it in that loop only."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._resolver = Resolver()
        self._http = CurlHttp(policy)
        self._streams = StreamConnector(policy, self._resolver)
        self._pinger = Pinger(policy, self._resolver)

    @property
    def policy(self) -> EgressPolicy:
        """The egress policy asked before every connection."""
        return self._policy

    async def fetch(self, request: HttpRequest) -> HttpResponse:
        """Run one HTTP exchange; raise NetworkError with the phase it failed in."""
        return await self._http.fetch(request)

    async def resolve(self, host: str, *, ip_family: IpFamily = "auto") -> Resolution:
        """Resolve ``host`` as the system does."""
        return await self._resolver.resolve(host, ip_family=ip_family)

    async def connect(
        self,
        host: str,
        port: int,
        *,
        tls: TlsOptions | None = None,
        ip_family: IpFamily = "auto",
        source_address: str = "",
        timeout_s: float = 10.0,
    ) -> StreamConnection:
        """Open a TCP connection, with TLS from the first byte when ``tls`` is given."""
        return await self._streams.connect(
            host,
            port,
            tls=tls,
            ip_family=ip_family,
            source_address=source_address,
            timeout_s=timeout_s,
        )

    async def exchange_datagram(
        self, host: str, port: int, payload: bytes, *, ip_family: IpFamily, timeout_s: float
    ) -> tuple[bytes, str]:
        """Send one UDP datagram and return the first answer and the address it came from."""
        return await exchange_datagram(
            host,
            port,
            payload,
            policy=self._policy,
            resolver=self._resolver,
            ip_family=ip_family,
            timeout_s=timeout_s,
        )

    async def ping(self, host: str, options: PingOptions) -> PingReport:
        """Send ICMP echo requests."""
        return await self._pinger.ping(host, options)

    async def aclose(self) -> None:
        """Abort what is under way and close every socket."""
        await self._http.aclose()
        self._pinger.close()
        self._resolver.close()
