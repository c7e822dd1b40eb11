"""Guarded TCP connections with TLS from the start or later, timed phase by phase."""

import asyncio
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import replace
from typing import Final

from detectviz.contracts.errors import (
    CertificateError,
    DeadlineExceededError,
    EgressDeniedError,
    NetworkError,
)
from detectviz.contracts.network import IpFamily, Phases, TlsOptions, TlsReport
from detectviz.net.guard import EgressPolicy
from detectviz.net.resolver import Resolver
from detectviz.net.tls import client_context, handshake_error, report

BUFFER_BYTES: Final = 262_144
CLOSE_S: Final = 0.1
# How long a second, unverified handshake may take that fetches a refused chain for the report.
SECOND_LOOK_S: Final = 3.0


class StreamConnection:
    """A guarded byte stream: contracts' Connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        remote: tuple[str, int],
        phases: Phases,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._remote = remote
        self._phases = phases
        self._tls: TlsReport | None = None

    @property
    def remote_ip(self) -> str:
        """Address really connected to."""
        return self._remote[0]

    @property
    def phases(self) -> Phases:
        """Resolve, connect and TLS seconds so far."""
        return self._phases

    @property
    def tls(self) -> TlsReport | None:
        """Set once TLS is up."""
        return self._tls

    async def send(self, data: bytes) -> None:
        """Write all of ``data``; raise NetworkError when the peer is gone."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise self._broken("send", error) from None

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        """Read what is there, at most ``max_bytes``; empty at end of stream."""
        try:
            return await self._reader.read(max_bytes)
        except OSError as error:
            raise self._broken("receive", error) from None

    async def receive_exactly(self, count: int) -> bytes:
        """Read ``count`` bytes; raise NetworkError when the stream ends before."""
        try:
            return await self._reader.readexactly(count)
        except asyncio.IncompleteReadError as error:
            raise NetworkError(
                f"{self._target} closed the connection after {len(error.partial)} of {count} bytes",
                phase="receive",
            ) from None
        except OSError as error:
            raise self._broken("receive", error) from None

    async def start_tls(self, options: TlsOptions, *, server_name: str) -> TlsReport:
        """Upgrade the stream; raise CertificateError or NetworkError with phase ``tls``."""
        name = options.server_name or server_name
        started = time.perf_counter()
        try:
            await self._writer.start_tls(client_context(options), server_hostname=name)
        except (OSError, EOFError) as error:
            raise handshake_error(error, self._target, name) from None
        self._phases = replace(self._phases, tls=time.perf_counter() - started)
        ssl_object = self._writer.get_extra_info("ssl_object")
        self._tls = report(ssl_object, options, name)
        return self._tls

    async def close(self) -> None:
        """Close; never raises and never waits long for the peer."""
        with suppress(Exception):
            self._writer.close()
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()
        with suppress(Exception):
            self._writer.transport.abort()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._writer.transport.abort()

    @property
    def _target(self) -> str:
        return f"{self._remote[0]}:{self._remote[1]}"

    def _broken(self, phase: str, error: OSError) -> NetworkError:
        reason = error.strerror or error.__class__.__name__
        return NetworkError(
            f"the connection to {self._target} broke: {reason.lower()}", phase=phase
        )


class StreamConnector:
    """Opens guarded connections inside one event loop."""

    def __init__(self, policy: EgressPolicy, resolver: Resolver) -> None:
        self._policy = policy
        self._resolver = resolver

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
        """Try the addresses of ``host`` in turn; raise NetworkError with the phase reached."""
        progress = _Progress()
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._open(host, port, ip_family, source_address, progress)
                if tls is not None:
                    progress.phase = "tls"
                    await self._secure(connection, host, port, tls)
        except TimeoutError:
            raise DeadlineExceededError(
                f"timed out after {timeout_s:g} s while {progress.doing(host, port)}",
                phase=progress.phase,
            ) from None
        return connection

    async def _open(
        self, host: str, port: int, ip_family: IpFamily, source: str, progress: "_Progress"
    ) -> StreamConnection:
        resolution = await self._resolver.resolve(host, ip_family=ip_family)
        progress.phase = "connect"
        failure: NetworkError | None = None
        started = time.perf_counter()
        for address in resolution.addresses:
            try:
                self._policy.check(address, port)
                opened = await _open_socket(address, port, source)
            except NetworkError as error:
                # A refusal by the guard is told even when another address failed later.
                failure = failure if isinstance(failure, EgressDeniedError) else error
                continue
            phases = Phases(resolve=resolution.duration_s, connect=time.perf_counter() - started)
            reader, writer = await asyncio.open_connection(sock=opened, limit=BUFFER_BYTES)
            return StreamConnection(reader, writer, remote=(address, port), phases=phases)
        raise failure or NetworkError(f"{host} has no address", phase="resolve")

    async def _secure(
        self, connection: StreamConnection, host: str, port: int, tls: TlsOptions
    ) -> None:
        try:
            await connection.start_tls(tls, server_name=host)
        except CertificateError as error:
            connection.abort()
            seen = await self._look_again(connection.remote_ip, host, port, tls)
            raise CertificateError(
                (seen and seen.verify_error) or error.message, report=seen
            ) from None
        except BaseException:
            connection.abort()
            raise

    async def _look_again(
        self, address: str, host: str, port: int, tls: TlsOptions
    ) -> TlsReport | None:
        """Fetch the refused chain: OpenSSL drops it when verification fails. Sends nothing."""
        options = replace(tls, verify=False, server_name=tls.server_name or host)
        with suppress(NetworkError, TimeoutError):
            async with asyncio.timeout(SECOND_LOOK_S):
                self._policy.check(address, port)
                opened = await _open_socket(address, port, "")
                reader, writer = await asyncio.open_connection(sock=opened)
                second = StreamConnection(reader, writer, remote=(address, port), phases=Phases())
                try:
                    return await second.start_tls(options, server_name=host)
                finally:
                    await second.close()
        return None


class _Progress:
    """Which phase a connection attempt has reached, for the message of a timeout."""

    def __init__(self) -> None:
        self.phase = "resolve"

    def doing(self, host: str, port: int) -> str:
        return {
            "resolve": f"resolving {host}",
            "connect": f"connecting to {host}:{port}",
            "tls": f"in the TLS handshake with {host}:{port}",
        }[self.phase]


async def _open_socket(address: str, port: int, source_address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source_address:
            opened.bind((source_address, 0))
        await asyncio.get_running_loop().sock_connect(opened, (address, port))
    except OSError as error:
        opened.close()
        raise _connect_error(error, address, port) from None
    except BaseException:
        opened.close()
        raise
    return opened


def _connect_error(error: OSError, address: str, port: int) -> NetworkError:
    if isinstance(error, ConnectionRefusedError):
        return NetworkError(f"connection refused by {address}:{port}", phase="connect")
    if isinstance(error, ssl.SSLError):
        return handshake_error(error, f"{address}:{port}", address)
    reason = (error.strerror or str(error)).lower()
    return NetworkError(f"cannot connect to {address}:{port}: {reason}", phase="connect")
