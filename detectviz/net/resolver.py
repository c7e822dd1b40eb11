"""Names to addresses as the system resolves them, off the loop and remembered for a moment."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final

from detectviz.contracts.errors import NetworkError
from detectviz.contracts.network import IpFamily, Resolution

CACHE_S: Final = 5.0
CACHED_NAMES: Final = 10_000
THREADS: Final = 8
_FAMILIES: Final = {
    "auto": socket.AF_UNSPEC,
    "ipv4": socket.AF_INET,
    "ipv6": socket.AF_INET6,
}
_FAMILY_NAMES: Final = {"auto": "address", "ipv4": "IPv4 address", "ipv6": "IPv6 address"}


class Resolver:
    """getaddrinfo in a few threads; one look-up per name at a time, answers kept for 5 s.

    getaddrinfo tells no TTL, hence the short time: enough that a burst of checks of one host
    asks once, too short to hide a change from a monitor.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="net-resolve")
        self._known: dict[tuple[str, IpFamily], tuple[float, tuple[str, ...]]] = {}
        self._asked: dict[tuple[str, IpFamily], asyncio.Future[tuple[str, ...]]] = {}

    async def resolve(self, host: str, *, ip_family: IpFamily = "auto") -> Resolution:
        """Return the addresses of ``host`` in the system's order; raise NetworkError."""
        started = time.perf_counter()
        name = host.strip("[]")
        literal = _literal(name, ip_family)
        addresses = (literal,) if literal else await self._look_up(name, ip_family)
        return Resolution(addresses=addresses, duration_s=time.perf_counter() - started)

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _look_up(self, name: str, ip_family: IpFamily) -> tuple[str, ...]:
        key = (name, ip_family)
        known = self._known.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        asked = self._asked.get(key)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = loop.run_in_executor(self._pool, _ask_system, name, ip_family)
            self._asked[key] = asked
            asked.add_done_callback(lambda future: self._answered(key, future))
        # Shielded: a check that gives up must not take the answer from the others.
        return await asyncio.shield(asked)

    def _answered(
        self, key: tuple[str, IpFamily], future: "asyncio.Future[tuple[str, ...]]"
    ) -> None:
        self._asked.pop(key, None)
        if future.cancelled() or future.exception() is not None:
            return
        if len(self._known) >= CACHED_NAMES:
            self._known.clear()
        self._known[key] = (time.monotonic() + CACHE_S, future.result())


def _literal(name: str, ip_family: IpFamily) -> str:
    try:
        address = ip_address(name)
    except ValueError:
        return ""
    if ip_family not in {"auto", f"ipv{address.version}"}:
        raise NetworkError(
            f"{name} is not an {_FAMILY_NAMES[ip_family]}", phase="resolve", permanent=True
        )
    return str(address)


def _ask_system(name: str, ip_family: IpFamily) -> tuple[str, ...]:
    try:
        rows = socket.getaddrinfo(name, None, _FAMILIES[ip_family], socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise _resolve_error(name, ip_family, error) from None
    return tuple(dict.fromkeys(str(row[4][0]) for row in rows))


def _resolve_error(name: str, ip_family: IpFamily, error: Exception) -> NetworkError:
    code = error.errno if isinstance(error, socket.gaierror) else None
    if isinstance(error, UnicodeError):
        reason = "this is not a host name"
    elif code == socket.EAI_NONAME:
        reason = "no such host"
    elif code in {socket.EAI_NODATA, socket.EAI_ADDRFAMILY}:
        reason = f"it has no {_FAMILY_NAMES[ip_family]}"
    elif code == socket.EAI_AGAIN:
        reason = "the DNS server did not answer"
    else:
        reason = str(error)
    return NetworkError(f"cannot resolve {name}: {reason}", phase="resolve")
