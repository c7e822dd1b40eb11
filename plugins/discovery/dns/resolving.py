"""Which name servers to ask, which names to try, and one question."""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.resolver

from detectviz.contracts.discovery import DiscoveryContext
from detectviz.contracts.errors import ConfigurationError, NetworkError, PluginError

RESOLV_CONF: Final = "/etc/resolv.conf"
_PORT: Final = 53
_LONGEST_ATTEMPT_S: Final = 2.0
# What fits into one datagram on every path (DNS flag day 2020).
_UDP_PAYLOAD_BYTES: Final = 1_232
_VIABLE: Final = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameServers:
    """Servers as (host, port), the domains that are tried, and dots a full name has at least."""

    servers: tuple[tuple[str, int], ...]
    search: tuple[str, ...] = ()
    dots: int = 1

    @classmethod
    def read(cls, servers: Sequence[str]) -> "NameServers":
        """Read ``host``, ``host:port``, ``[v6]:port``; raise ConfigurationError."""
        return cls(servers=tuple(_server(each) for each in servers))

    @classmethod
    def of_machine(cls, source: str | TextIO = RESOLV_CONF) -> "NameServers":
        """Read resolv.conf; raise PluginError when it names no server."""
        resolver = dns.resolver.Resolver(configure=False)
        try:
            resolver.read_resolv_conf(source)
        except (dns.resolver.NoResolverConfiguration, OSError) as error:
            message = f"{RESOLV_CONF} names no name server; set servers."
            raise PluginError(message) from error
        return cls(
            servers=tuple((str(each), _PORT) for each in resolver.nameservers),
            search=tuple(each.to_text(omit_final_dot=True) for each in resolver.search),
            dots=1 if resolver.ndots is None else resolver.ndots,
        )

    def spellings(self, name: str) -> Iterator[str]:
        """Yield the full names that ``name`` may stand for, in the order resolv.conf(5) says."""
        if name.endswith("."):
            yield name
            return
        is_full = name.count(".") >= self.dots
        if is_full:
            yield f"{name}."
        yield from (f"{name}.{domain}." for domain in self.search)
        if not is_full:
            yield f"{name}."


async def ask(
    context: DiscoveryContext, servers: NameServers, name: str, rdtype: str
) -> dns.message.Message:
    """Return the first good answer of a server: NOERROR or NXDOMAIN; raise NetworkError."""
    query = _query(name, rdtype)
    attempt_s = min(_LONGEST_ATTEMPT_S, context.timeout_s / max(1, len(servers.servers)))
    problem = NetworkError(f"{name} {rdtype}: there is no name server", phase="resolve")
    for host, port in servers.servers:
        try:
            answer = await _exchange(context, host, port, query, attempt_s)
        except NetworkError as error:
            problem = error
            continue
        if answer.rcode() in _VIABLE:
            return answer
        said = dns.rcode.to_text(answer.rcode())
        problem = NetworkError(f"{host} answered {said} for {name} {rdtype}", phase="receive")
    raise problem


async def _exchange(
    context: DiscoveryContext,
    host: str,
    port: int,
    query: dns.message.QueryMessage,
    timeout_s: float,
) -> dns.message.Message:
    wire, _ = await context.network.exchange_datagram(
        host, port, query.to_wire(), ip_family="auto", timeout_s=timeout_s
    )
    answer = _read(query, wire)
    if not answer.flags & dns.flags.TC:
        return answer
    connection = await context.network.connect(host, port, timeout_s=timeout_s)
    try:
        payload = query.to_wire()
        await connection.send(len(payload).to_bytes(2, "big") + payload)
        length = int.from_bytes(await connection.receive_exactly(2), "big")
        return _read(query, await connection.receive_exactly(length))
    finally:
        await connection.close()


def _query(name: str, rdtype: str) -> dns.message.QueryMessage:
    try:
        asked = dns.name.from_text(name, idna_codec=dns.name.IDNA_2008_Practical)
        return dns.message.make_query(asked, rdtype, use_edns=0, payload=_UDP_PAYLOAD_BYTES)
    except (dns.exception.DNSException, ValueError) as error:
        message = f"{name} cannot be asked for: {error}"
        raise ConfigurationError(message, field="/names") from error


def _read(query: dns.message.QueryMessage, wire: bytes) -> dns.message.Message:
    try:
        answer = dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError) as error:
        message = f"the answer is no DNS message: {error}"
        raise NetworkError(message, phase="receive") from error
    if not query.is_response(answer):
        raise NetworkError("the answer belongs to another question", phase="receive")
    return answer


def _server(text: str) -> tuple[str, int]:
    try:
        return str(ipaddress.ip_address(text.strip("[]"))), _PORT
    except ValueError:
        host, _, port = text.rpartition(":") if ":" in text else (text, "", str(_PORT))
    number = int(port) if port.isascii() and port.isdigit() else 0
    if not host or not 0 < number <= 65_535:  # noqa: PLR2004 - the last port there is
        raise ConfigurationError(f"{text} is no name server; write host:port.", field="/servers")
    return host.strip("[]"), number
