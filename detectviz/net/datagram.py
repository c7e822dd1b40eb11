"""One UDP question and its first answer, guarded."""

import asyncio

from detectviz.contracts.errors import DeadlineExceededError, NetworkError
from detectviz.contracts.network import IpFamily
from detectviz.net.guard import EgressPolicy
from detectviz.net.resolver import Resolver


class _Exchange(asyncio.DatagramProtocol):
    """Keeps the first datagram or error of a connected socket."""

    def __init__(self, answer: "asyncio.Future[bytes]") -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)


async def exchange_datagram(
    host: str,
    port: int,
    payload: bytes,
    *,
    policy: EgressPolicy,
    resolver: Resolver,
    ip_family: IpFamily,
    timeout_s: float,
) -> tuple[bytes, str]:
    """Send ``payload`` and return the first answer and the address asked; raise NetworkError."""
    phase, target = "resolve", f"{host}:{port}"
    try:
        async with asyncio.timeout(timeout_s):
            resolution = await resolver.resolve(host, ip_family=ip_family)
            address = resolution.addresses[0]
            policy.check(address, port)
            phase, target = "receive", f"{address}:{port}"
            return await _ask(address, port, payload), address
    except TimeoutError:
        raise DeadlineExceededError(
            f"no answer from {target} within {timeout_s:g} s", phase=phase
        ) from None
    except OSError as error:
        refused = isinstance(error, ConnectionRefusedError)
        reason = "nothing listens there" if refused else (error.strerror or str(error)).lower()
        raise NetworkError(f"{target} cannot be asked: {reason}", phase="receive") from None


async def _ask(address: str, port: int, payload: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Exchange(answer), remote_addr=(address, port)
    )
    try:
        transport.sendto(payload)
        return await answer
    finally:
        transport.close()
