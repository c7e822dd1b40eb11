"""Is this machine itself offline? Then failed checks say nothing about their targets."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import psutil

from detectviz.contracts.collector import CheckResult
from detectviz.contracts.errors import NetworkError
from detectviz.contracts.network import Network
from detectviz.contracts.types import CheckState
from detectviz.net.guard import PUBLIC, classify

CACHE_S: Final = 5.0
REFERENCE_TIMEOUT_S: Final = 2.0
SUSPECT_PHASES: Final = frozenset({"resolve", "connect"})
# Linux, include/uapi/linux/route.h and ipv6_route.h.
_UP: Final = 0x1
_REJECT: Final = 0x200
_ROUTE_COLUMNS: Final = 8
_IPV6_COLUMNS: Final = 10


class ConnectivityProbe:
    """Answers, at most every 5 s anew, whether this machine can reach anything.

    With references (``host:port``) it is online when one of them accepts a connection; without,
    when an interface other than loopback has a default route.
    """

    def __init__(
        self,
        network: Network,
        references: Sequence[tuple[str, int]] = (),
        *,
        monotonic: Callable[[], float] = time.monotonic,
        has_route: Callable[[], bool] | None = None,
    ) -> None:
        self._network = network
        self._references = tuple(references)
        self._monotonic = monotonic
        self._has_route = has_route or has_default_route
        self._answer = True
        self._valid_until = float("-inf")
        self._asking: asyncio.Task[bool] | None = None

    async def is_online(self) -> bool:
        """Return the cached answer or ask; concurrent callers share one question."""
        if self._monotonic() < self._valid_until:
            return self._answer
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> bool:
        try:
            self._answer = await self._look()
            self._valid_until = self._monotonic() + CACHE_S
            return self._answer
        finally:
            self._asking = None

    async def _look(self) -> bool:
        if not self._references:
            return self._has_route()
        answers = await asyncio.gather(
            *(self._reaches(host, port) for host, port in self._references)
        )
        return any(answers)

    async def _reaches(self, host: str, port: int) -> bool:
        try:
            connection = await self._network.connect(host, port, timeout_s=REFERENCE_TIMEOUT_S)
        except NetworkError as error:
            # A refusal came from somewhere: the way there works.
            return error.phase == "connect" and "refused" in error.message
        await connection.close()
        return True


def is_suspect(result: CheckResult, host: str) -> bool:
    """Tell whether ``result`` could be this machine's fault: a far host not even connected to."""
    if result.state is not CheckState.DOWN or result.evidence.get("phase") not in SUSPECT_PHASES:
        return False
    return is_far(host)


def is_far(host: str) -> bool:
    """Tell whether ``host`` lies beyond this machine and its own networks, as far as is known."""
    name = host.strip("[]").lower().rstrip(".")
    try:
        ip_address(name)
    except ValueError:
        return bool(name) and name != "localhost" and not name.endswith(".localhost")
    return classify(name) == PUBLIC


def has_default_route() -> bool:
    """Look for a default route on an interface other than loopback (elsewhere: any address)."""
    ipv4, ipv6 = Path("/proc/net/route"), Path("/proc/net/ipv6_route")
    if ipv4.exists():
        lines = ipv6.read_text().splitlines() if ipv6.exists() else []
        return has_ipv4_default(ipv4.read_text().splitlines()) or has_ipv6_default(lines)
    return _has_far_address()


def has_ipv4_default(lines: Sequence[str]) -> bool:
    """Read the lines of ``/proc/net/route``: interface, destination, gateway, flags … mask."""
    for line in lines[1:]:
        columns = line.split()
        if len(columns) < _ROUTE_COLUMNS or columns[0] == "lo":
            continue
        flags = int(columns[3], 16)
        is_default = columns[1] == columns[7] == "00000000"
        if is_default and flags & _UP and not flags & _REJECT:
            return True
    return False


def has_ipv6_default(lines: Sequence[str]) -> bool:
    """Read the lines of ``/proc/net/ipv6_route``: destination, length … flags, interface."""
    for line in lines:
        columns = line.split()
        if len(columns) < _IPV6_COLUMNS or columns[9] == "lo":
            continue
        flags = int(columns[8], 16)
        is_default = columns[0] == "0" * 32 and columns[1] == "00"
        if is_default and flags & _UP and not flags & _REJECT:
            return True
    return False


def _has_far_address() -> bool:
    stats = psutil.net_if_stats()
    for name, entries in psutil.net_if_addrs().items():
        is_up = name in stats and stats[name].isup
        for entry in entries:
            is_ip = entry.family in {socket.AF_INET, socket.AF_INET6}
            if is_up and is_ip and classify(entry.address) not in {"loopback", "link-local"}:
                return True
    return False
