"""The egress guard: which addresses the outbound side of Detectviz may connect to.

Judged is the address of the socket about to be opened, never a name or a URL, so neither a
spelling nor a changed DNS answer gets past. Classes come from the table below (IANA special
purpose registries); ``ipaddress.is_private`` differs between Python versions and is not asked.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

import psutil

from detectviz.contracts.errors import EgressDeniedError

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpNetwork: TypeAlias = IPv4Network | IPv6Network

PUBLIC: Final = "public"
OWN_CLASSES: Final = frozenset({"loopback", "private", "unique-local", "shared"})
SETTING: Final = "DETECTVIZ_EGRESS_ALLOW"
CACHED_VERDICTS: Final = 8192

# The longest matching prefix decides; IPv6 outside 2000::/3 and without a row is reserved.
ADDRESS_CLASSES: Final[tuple[tuple[str, str], ...]] = (
    ("0.0.0.0/0", PUBLIC),
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol-assignment"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4-relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("255.255.255.255/32", "broadcast"),
    ("::/0", "reserved"),
    ("::/96", "v4-compatible"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::ffff:0:0/96", "v4-mapped"),
    ("::ffff:0:0:0/96", "v4-translated"),
    ("64:ff9b::/96", "nat64"),
    ("64:ff9b:1::/48", "nat64-local"),
    ("100::/64", "discard"),
    ("2000::/3", PUBLIC),
    ("2001::/23", "protocol-assignment"),
    ("2001::/32", "teredo"),
    ("2001:2::/48", "benchmarking"),
    ("2001:10::/28", "orchid"),
    ("2001:20::/28", "orchid"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment-routing"),
    ("fc00::/7", "unique-local"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)


def _by_prefix_length(rows: Iterable[tuple[str, str]]) -> list[tuple[IpNetwork, str]]:
    table = [(ip_network(network), name) for network, name in rows]
    return sorted(table, key=lambda row: row[0].prefixlen, reverse=True)


_TABLE: Final = _by_prefix_length(ADDRESS_CLASSES)
# Packets to these reach the IPv4 address in their last 32 bits, so that one is judged.
_EMBEDDING: Final = frozenset({"v4-mapped", "nat64"})


def parse_address(address: str) -> IpAddress:
    """Read an address as a socket reports it; a zone (``%eth0``) is dropped."""
    return ip_address(address.partition("%")[0])


def parse_networks(networks: Iterable[str]) -> tuple[IpNetwork, ...]:
    """Read networks or single addresses; raise ValueError naming the bad one."""
    return tuple(ip_network(network.strip(), strict=False) for network in networks)


def unwrap(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that v4-mapped and NAT64 addresses stand for, else itself."""
    if isinstance(address, IPv6Address) and _row_of(address) in _EMBEDDING:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _row_of(address: IpAddress) -> str:
    return next(name for network, name in _TABLE if address in network)


@lru_cache(maxsize=CACHED_VERDICTS)
def classify(address: str) -> str:
    """Name the class of an address: ``public``, ``loopback``, ``link-local`` and so on."""
    return _row_of(unwrap(parse_address(address)))


def own_addresses() -> frozenset[str]:
    """List the addresses of this machine's interfaces."""
    return frozenset(
        str(parse_address(entry.address))
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family.name in {"AF_INET", "AF_INET6"}
    )


class EgressPolicy:
    """Which addresses may be connected to.

    In order: ``deny_endpoints`` and ``deny`` refuse, ``allow`` admits, public addresses pass, and
    ``allow_private`` admits loopback, private, unique-local and shared ones. Everything else
    (link-local with its cloud metadata, multicast, reserved, tunnels) needs a row in ``allow``.
    An endpoint on ``0.0.0.0`` or ``::`` stands for that port on every address of this machine.
    """

    __slots__ = ("_allow", "_allow_private", "_deny", "_deny_endpoints", "_own", "_verdicts")

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
        allow_private: bool = False,
        deny_endpoints: Iterable[tuple[str, int]] = (),
    ) -> None:
        self._allow = parse_networks(allow)
        self._deny = parse_networks(deny)
        self._allow_private = allow_private
        self._deny_endpoints = frozenset(
            (str(unwrap(parse_address(address))), port) for address, port in deny_endpoints
        )
        wildcards = any(address in {"0.0.0.0", "::"} for address, _ in self._deny_endpoints)  # noqa: S104 - compared with, not bound
        self._own = own_addresses() if wildcards else frozenset()
        self._verdicts: dict[str, str] = {}

    def check(self, address: str, port: int) -> None:
        """Raise EgressDeniedError unless ``address`` and ``port`` may be connected to."""
        reason = self._verdicts.get(address)
        if reason is None:
            reason = self._judge(parse_address(address))
            if len(self._verdicts) >= CACHED_VERDICTS:
                self._verdicts.clear()
            self._verdicts[address] = reason
        if not reason and self._deny_endpoints and self._is_own_listener(address, port):
            reason = "it is a listener of Detectviz itself"
        if reason:
            raise EgressDeniedError(
                f"connecting to {address} port {port} is not allowed: {reason}; "
                f"an administrator can admit networks with {SETTING}"
            )

    def is_allowed(self, address: str, port: int) -> bool:
        """Tell whether ``check`` would pass."""
        try:
            self.check(address, port)
        except EgressDeniedError:
            return False
        return True

    def _judge(self, address: IpAddress) -> str:
        """Return why ``address`` is refused, empty when it is not."""
        inner = unwrap(address)
        name = _row_of(inner)
        if _contains(self._deny, inner) or _contains(self._deny, address):
            return f"the {name} address is denied by configuration"
        if name == PUBLIC or _contains(self._allow, inner) or _contains(self._allow, address):
            return ""
        if self._allow_private and name in OWN_CLASSES:
            return ""
        return f"it is a {name} address"

    def _is_own_listener(self, address: str, port: int) -> bool:
        inner = unwrap(parse_address(address))
        if (str(inner), port) in self._deny_endpoints:
            return True
        wildcard = "0.0.0.0" if inner.version == 4 else "::"  # noqa: S104, PLR2004 - compared with, not bound; 4 is the IP version
        is_here = inner.is_loopback or inner.is_unspecified or str(inner) in self._own
        if not is_here:
            return False
        return (wildcard, port) in self._deny_endpoints or ("::", port) in self._deny_endpoints


def _contains(networks: tuple[IpNetwork, ...], address: IpAddress) -> bool:
    return any(address in network for network in networks)
