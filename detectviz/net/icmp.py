"""Ping without a process: one ICMP socket per IP version, shared by every run in the loop.

Unprivileged datagram sockets are used where the system permits them, raw ones where this process
may open them. Answers are matched by sequence number and by a random payload, so another pinger
on the machine or a forged reply is not taken for ours.
"""

import asyncio
import os
import secrets
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from detectviz.contracts.errors import NetworkError
from detectviz.contracts.network import PingOptions, PingReport
from detectviz.net.guard import EgressPolicy
from detectviz.net.icmp_packets import Echo, echo_request, parse
from detectviz.net.resolver import Resolver

MAX_COUNT: Final = 100
MAX_PACKET_BYTES: Final = 65_000
_TOKEN_BYTES: Final = 16
_RECEIVE_BYTES: Final = 65_536
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_PROTOCOLS: Final = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
# Linux' numbers, missing from the socket module.
_IP_RECVTTL: Final = getattr(socket, "IP_RECVTTL", 12)
_IP_PKTINFO: Final = 8
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_PMTU_WANT: Final = 1
_PMTU_DO: Final = 2
_SOL_RAW: Final = 255
_ICMP_FILTER: Final = 1
_WANTED_TYPES: Final = (0, 3, 11)


@dataclass(slots=True)
class _Pending:
    """One packet under way."""

    payload: bytes
    sent_at: float
    answer: "asyncio.Future[tuple[float, int | None]]"


class EchoSocket:
    """One ICMP socket and the packets it waits for."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._socket, self._is_raw = _open(version)
        self._identifier = secrets.randbits(16)
        self._sequence = secrets.randbits(16)
        self._pending: dict[int, _Pending] = {}
        self._shape: tuple[int, bool] | None = None
        asyncio.get_running_loop().add_reader(self._socket, self._on_readable)

    def send(
        self, address: str, options: PingOptions
    ) -> "asyncio.Future[tuple[float, int | None]]":
        """Send one request; the answer is (round trip in seconds, hop limit)."""
        sequence = self._next_sequence()
        payload = secrets.token_bytes(min(_TOKEN_BYTES, options.packet_size))
        payload += bytes(options.packet_size - len(payload))
        future = asyncio.get_running_loop().create_future()
        self._pending[sequence] = _Pending(payload, time.perf_counter(), future)
        future.add_done_callback(lambda _: self._pending.pop(sequence, None))
        packet = echo_request(self._version, self._identifier, sequence, payload)
        try:
            self._set_shape(options.ttl, dont_fragment=options.dont_fragment)
            self._socket.sendmsg([packet], self._source_of(options.source_address), 0, (address, 0))
        except OSError as error:
            future.set_exception(NetworkError((error.strerror or str(error)).lower(), phase="send"))
        return future

    def close(self) -> None:
        """Stop listening."""
        with suppress(RuntimeError):
            asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _next_sequence(self) -> int:
        for _ in range(0x10000):
            self._sequence = (self._sequence + 1) & 0xFFFF
            if self._sequence not in self._pending:
                return self._sequence
        raise NetworkError("65,536 pings are under way already", phase="send")

    def _set_shape(self, ttl: int, *, dont_fragment: bool) -> None:
        """Set what is per socket and not per packet; the send follows in the same turn."""
        if self._shape == (ttl, dont_fragment):
            return
        discover = _PMTU_DO if dont_fragment else _PMTU_WANT
        if self._version == 4:  # noqa: PLR2004 - the IP version
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, discover)
        else:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, discover)
        self._shape = (ttl, dont_fragment)

    def _source_of(self, source_address: str) -> list[tuple[int, int, bytes]]:
        if not source_address:
            return []
        if self._version == 4:  # noqa: PLR2004 - the IP version
            info = struct.pack("@I4s4s", 0, socket.inet_aton(source_address), bytes(4))
            return [(socket.IPPROTO_IP, _IP_PKTINFO, info)]
        info = struct.pack("@16sI", socket.inet_pton(socket.AF_INET6, source_address), 0)
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)]

    def _on_readable(self) -> None:
        while True:
            try:
                packet, ancillary, _, _ = self._socket.recvmsg(_RECEIVE_BYTES, 256)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # A queued error of an earlier packet; that packet times out or told its error.
                continue
            echo = parse(self._version, packet)
            if echo is not None:
                self._settle(echo, _hop_limit(ancillary))

    def _settle(self, echo: Echo, hop_limit: int | None) -> None:
        waiting = self._pending.get(echo.sequence)
        if waiting is None or waiting.answer.done():
            return
        if echo.error:
            # Datagram sockets get another identifier from the kernel and no errors this way.
            if echo.identifier == self._identifier:
                waiting.answer.set_exception(NetworkError(echo.error, phase="receive"))
        elif echo.payload == waiting.payload:
            waiting.answer.set_result((time.perf_counter() - waiting.sent_at, hop_limit))


def _open(version: int) -> tuple[socket.socket, bool]:
    family, protocol = _FAMILIES[version], _PROTOCOLS[version]
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            opened = socket.socket(family, kind, protocol)
        except PermissionError:
            continue
        except OSError as error:
            raise NetworkError(
                f"this machine cannot ping over IPv{version}: {error.strerror}", phase="connect"
            ) from None
        opened.setblocking(False)
        _prepare(opened, version, is_raw=kind == socket.SOCK_RAW)
        return opened, kind == socket.SOCK_RAW
    raise NetworkError(
        "this process may not send pings: set the sysctl net.ipv4.ping_group_range to include its "
        f'group (sysctl -w net.ipv4.ping_group_range="{os.getgid()} {os.getgid()}") '
        "or give it the capability CAP_NET_RAW",
        phase="connect",
        permanent=True,
    )


def _prepare(opened: socket.socket, version: int, *, is_raw: bool) -> None:
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_048_576)
    if version == 6:  # noqa: PLR2004 - the IP version
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        return
    opened.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
    if is_raw:
        # Let the kernel drop every other ICMP message of the machine before it wakes us.
        mask = 0xFFFFFFFF
        for wanted in _WANTED_TYPES:
            mask &= ~(1 << wanted)
        with suppress(OSError):
            opened.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("@I", mask))


def _hop_limit(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        is_ttl = level == socket.IPPROTO_IP and kind in {socket.IP_TTL, _IP_RECVTTL}
        is_hops = level == socket.IPPROTO_IPV6 and kind == socket.IPV6_HOPLIMIT
        if is_ttl or is_hops:
            return int.from_bytes(data[:4], "little" if data[0] else "big")
    return None


class Pinger:
    """Runs pings inside one event loop."""

    def __init__(self, policy: EgressPolicy, resolver: Resolver) -> None:
        self._policy = policy
        self._resolver = resolver
        self._sockets: dict[int, EchoSocket] = {}

    async def ping(self, host: str, options: PingOptions) -> PingReport:
        """Send ``options.count`` requests and gather what came back; raise NetworkError."""
        _check(options)
        resolution = await self._resolver.resolve(host, ip_family=options.ip_family)
        address = resolution.addresses[0]
        self._policy.check(address, 0)
        echo_socket = self._socket_for(6 if ":" in address else 4)
        waits = []
        for number in range(options.count):
            if number:
                await asyncio.sleep(options.spacing_s)
            answer = echo_socket.send(address, options)
            waits.append(asyncio.create_task(_wait(answer, options.packet_timeout_s)))
        return _report(address, await asyncio.gather(*waits), resolution.duration_s)

    def close(self) -> None:
        """Close the sockets."""
        for echo_socket in self._sockets.values():
            echo_socket.close()
        self._sockets.clear()

    def _socket_for(self, version: int) -> EchoSocket:
        found = self._sockets.get(version)
        if found is None:
            found = self._sockets[version] = EchoSocket(version)
        return found


def _check(options: PingOptions) -> None:
    if not 1 <= options.count <= MAX_COUNT or not 0 <= options.packet_size <= MAX_PACKET_BYTES:
        raise NetworkError(
            f"a ping sends 1 to {MAX_COUNT} packets of 0 to {MAX_PACKET_BYTES} bytes",
            phase="send",
            permanent=True,
        )


async def _wait(
    answer: "asyncio.Future[tuple[float, int | None]]", timeout_s: float
) -> tuple[float, int | None] | str:
    """Return the answer, or the error's text; empty text when nothing came."""
    try:
        async with asyncio.timeout(timeout_s):
            return await answer
    except TimeoutError:
        return ""
    except NetworkError as error:
        return error.message


def _report(
    address: str, outcomes: list[tuple[float, int | None] | str], resolve_s: float
) -> PingReport:
    answers = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    errors = [outcome for outcome in outcomes if isinstance(outcome, str) and outcome]
    return PingReport(
        address=address,
        sent=len(outcomes),
        round_trips_s=tuple(round_trip for round_trip, _ in answers),
        hop_limit=answers[-1][1] if answers else None,
        resolve_s=resolve_s,
        errors=tuple(dict.fromkeys(errors)),
    )
