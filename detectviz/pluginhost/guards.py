"""The host's services as a guarded plugin gets them: each call asks the Guard first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from detectviz.contracts.commands import (
    BlockingCommandRunner,
    Command,
    CommandResult,
    CommandRunner,
)
from detectviz.contracts.datasource import Connector
from detectviz.contracts.discovery import Discovered, Discoverer, Files, FoundFile
from detectviz.contracts.errors import NetworkError
from detectviz.contracts.mailbox import Mailbox, MailboxAccess
from detectviz.contracts.network import (
    Connection,
    HttpClient,
    HttpRequest,
    HttpResponse,
    IpFamily,
    Network,
    PingOptions,
    PingReport,
    Resolution,
    TlsOptions,
)
from detectviz.contracts.notifier import MailMessage, MailSender
from detectviz.pluginhost.permissions import Guard

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD: Final = frozenset({307, 308})
_CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_DEEPEST: Final = 20


@dataclass(frozen=True, slots=True)
class GuardedNetwork:
    """contracts' Network within the permissions."""

    inner: Network
    guard: Guard

    async def fetch(self, request: HttpRequest) -> HttpResponse:
        """Run one exchange; every host on the way is asked for."""
        hops = _Hops(request, self.guard)
        while (hop := hops.next()) is not None:
            hops.answered(await self.inner.fetch(hop))
        return hops.result()

    async def resolve(self, host: str, *, ip_family: IpFamily = "auto") -> Resolution:
        """Resolve a host that may be reached in some way."""
        protocol = next(iter(self.guard.granted.network), "dns")
        self.guard.require_network(protocol, host)
        return await self.inner.resolve(host, ip_family=ip_family)

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
        """Open a connection to a host that may be reached by TCP."""
        self.guard.require_network("tcp", host, port)
        return await self.inner.connect(
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
        """Exchange datagrams with a host that may be reached by UDP."""
        self.guard.require_network("udp", host, port)
        return await self.inner.exchange_datagram(
            host, port, payload, ip_family=ip_family, timeout_s=timeout_s
        )

    async def ping(self, host: str, options: PingOptions) -> PingReport:
        """Ping a host that may be reached by ICMP."""
        self.guard.require_network("icmp", host)
        return await self.inner.ping(host, options)


@dataclass(frozen=True, slots=True)
class GuardedHttp:
    """contracts' HttpClient within the permissions."""

    inner: HttpClient
    guard: Guard

    def fetch(self, request: HttpRequest) -> HttpResponse:
        """Run one exchange; every host on the way is asked for."""
        hops = _Hops(request, self.guard)
        while (hop := hops.next()) is not None:
            hops.answered(self.inner.fetch(hop))
        return hops.result()

    def require_allowed(self, host: str, port: int) -> None:
        """Raise EgressDeniedError unless permissions and egress policy allow ``host``."""
        protocol = next(iter(self.guard.granted.network), "tcp")
        self.guard.require_network(protocol, host, port)
        self.inner.require_allowed(host, port)


class _Hops:
    """One exchange, redirect by redirect, because the way out would follow them unasked.

    Credentials do not go along to another origin, as curl and browsers have it.
    """

    def __init__(self, request: HttpRequest, guard: Guard) -> None:
        self._guard = guard
        self._wanted = request
        self._is_free = "*" in guard.granted.hosts or not request.follow_redirects
        first = request if self._is_free else replace(request, follow_redirects=False)
        self._next: HttpRequest | None = first
        self._last: HttpResponse | None = None
        self._count = 0

    def next(self) -> HttpRequest | None:
        """Return the next request, None when the last answer stands."""
        request = self._next
        if request is not None:
            self._guard.require_url(request.url)
            for name, address in request.resolve.items():
                self._guard.require_network("http", name)
                self._guard.require_network("http", address)
            if request.proxy_url:
                self._guard.require_url(request.proxy_url)
        return request

    def answered(self, response: HttpResponse) -> None:
        """Take the answer of the last request."""
        asked, self._next, self._last = self._next, None, response
        location = response.header("location")
        is_redirect = response.status_code in _REDIRECTS and location
        if self._is_free or asked is None or not is_redirect:
            return
        if self._count >= self._wanted.max_redirects:
            raise NetworkError(f"More than {self._count} redirects.", phase="receive")
        self._count += 1
        self._next = _redirected(asked, response.status_code, urljoin(asked.url, location or ""))

    def result(self) -> HttpResponse:
        """Return the last answer, with the redirects on the way."""
        if self._last is None:
            raise NetworkError("There was no answer.", phase="receive")
        return replace(self._last, redirects=self._last.redirects + self._count)


def _redirected(request: HttpRequest, status: int, url: str) -> HttpRequest:
    changes: dict[str, Any] = {"url": url}
    if status not in _KEEP_METHOD and request.method != "HEAD":
        changes |= {"method": "GET", "body": b""}
    if _origin(url) != _origin(request.url):
        kept = [each for each in request.headers if each[0].lower() not in _CREDENTIALS]
        changes |= {"headers": kept, "basic_auth": None, "digest_auth": None, "ntlm_auth": None}
    return replace(request, **changes)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()


@dataclass(frozen=True, slots=True)
class GuardedMail:
    """contracts' MailSender within the permissions."""

    inner: MailSender
    guard: Guard

    def send(self, message: MailMessage) -> str:
        """Send mail if the plugin may."""
        self.guard.require_mail()
        return self.inner.send(message)


@dataclass(frozen=True, slots=True)
class GuardedMailbox:
    """contracts' Mailbox within the permissions."""

    inner: Mailbox
    guard: Guard

    def take(self, access: MailboxAccess, message_id: str) -> bool:
        """Look for a mail on a server that may be reached by TCP."""
        self.guard.require_network("tcp", access.host, access.port)
        return self.inner.take(access, message_id)


@dataclass(frozen=True, slots=True)
class GuardedFiles:
    """contracts' Files within the permissions: its folder is the org's own already."""

    inner: Files
    guard: Guard

    async def read(self, pattern: str) -> Sequence[FoundFile]:
        """Read files if the plugin may."""
        self.guard.require_any_files(pattern)
        return await self.inner.read(pattern)


@dataclass(frozen=True, slots=True)
class GuardedConnector:
    """contracts' Connector within the permissions."""

    inner: Connector
    guard: Guard

    def address(self, host: str, port: int) -> str:
        """Return the address of a host that may be reached by TCP."""
        self.guard.require_network("tcp", host, port)
        return self.inner.address(host, port)

    def file(self, path: str) -> str:
        """Return the real path of a file if the plugin may read files."""
        self.guard.require_any_files(path)
        return self.inner.file(path)


@dataclass(frozen=True, slots=True)
class GuardedDiscoverer:
    """contracts' Discoverer; the targets it finds count as configured."""

    inner: Discoverer
    guard: Guard

    async def discover(self) -> Discovered:
        """Return the targets."""
        found = await self.inner.discover()
        addresses = (
            target["__address__"]
            for group in found.groups
            for target in group.targets
            if "__address__" in target
        )
        self.guard.name_hosts(addresses)
        return found


@dataclass(frozen=True, slots=True)
class GuardedCommands:
    """contracts' CommandRunner within the permissions."""

    inner: CommandRunner
    guard: Guard

    async def run(self, command: Command) -> CommandResult:
        """Run one of the operator's scripts if the plugin may."""
        self.guard.require_commands(command.program)
        return await self.inner.run(command)


@dataclass(frozen=True, slots=True)
class GuardedScripts:
    """contracts' BlockingCommandRunner within the permissions."""

    inner: BlockingCommandRunner
    guard: Guard

    def run(self, command: Command) -> CommandResult:
        """Run one of the operator's scripts if the plugin may."""
        self.guard.require_commands(command.program)
        return self.inner.run(command)


_WRAPPERS: Final[dict[str, Callable[[Any, Guard], object]]] = {
    "network": GuardedNetwork,
    "http": GuardedHttp,
    "mail": GuardedMail,
    "mailbox": GuardedMailbox,
    "files": GuardedFiles,
    "connector": GuardedConnector,
    "discoverer": GuardedDiscoverer,
    "commands": GuardedCommands,
    "scripts": GuardedScripts,
}


def guard_context(context: Any, guard: Guard) -> Any:
    """Return ``context`` with every service and secret within the permissions.

    Hosts that its configuration, its settings or its secrets name become configured ones.
    """
    if not is_dataclass(context) or isinstance(context, type):
        return context
    changes: dict[str, Any] = {}
    for name in (item.name for item in fields(context)):
        value = getattr(context, name)
        if value is None:
            continue
        if name in _WRAPPERS:
            changes[name] = _WRAPPERS[name](value, guard)
        elif name == "secrets":
            changes[name] = guard.secrets(value)
            guard.name_hosts(_texts(changes[name]))
        elif name == "settings" and hasattr(value, "secrets"):
            changes[name] = replace(value, secrets=guard.secrets(value.secrets))
            guard.name_hosts(_texts([value.url, value.json_data, changes[name].secrets]))
        elif name == "config":
            guard.name_hosts(_texts(value))
        elif name in {"series", "platform"} and not getattr(guard.granted, name):
            changes[name] = None
    return replace(context, **changes)


def _texts(value: object, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth > _DEEPEST:
        return
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for item in value:
            yield from _texts(item, depth + 1)
