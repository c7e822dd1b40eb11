"""The engine's own loop is uvloop, and it is not asyncio's in every detail."""

import asyncio
import ssl

import pytest
import uvloop

from detectviz.contracts.errors import NetworkError
from detectviz.contracts.network import HttpRequest, PingOptions, TlsOptions
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.testing.http_server import Answer, TestAuthority, http_server
from detectviz.testing.services import free_port

AUTHORITY = TestAuthority()
TRUSTING = TlsOptions(ca_pem=AUTHORITY.ca_pem)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read(100))
    writer.close()


async def _server(tls: ssl.SSLContext | None = None) -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, ssl=tls)
    return server, server.sockets[0].getsockname()[1]


async def _streams(network: EngineNetwork) -> None:
    for tls in (None, AUTHORITY.server_context()):
        server, port = await _server(tls)
        async with server:
            options = TRUSTING if tls else None
            connection = await network.connect("127.0.0.1", port, tls=options, timeout_s=5)
            await connection.send(b"hello")
            assert await connection.receive_exactly(5) == b"hello"
            assert await connection.receive() == b""
            assert (connection.tls is not None) is (tls is not None)
            assert connection.tls is None or connection.tls.chain
            await connection.close()


async def _refusals(network: EngineNetwork) -> None:
    with pytest.raises(NetworkError, match="connection refused"):
        await network.connect("127.0.0.1", free_port(), timeout_s=5)
    with pytest.raises(NetworkError, match="nothing listens"):
        await network.exchange_datagram(
            "127.0.0.1", free_port(), b"x", ip_family="auto", timeout_s=5
        )
    server, port = await _server(AUTHORITY.server_context())
    async with server:
        with pytest.raises(NetworkError, match="not trusted"):
            await network.connect("127.0.0.1", port, tls=TlsOptions(), timeout_s=5)


async def _http(network: EngineNetwork) -> None:
    with http_server(lambda _: Answer(body=b"ok"), tls=AUTHORITY.server_context()) as server:
        request = HttpRequest(url=server.url, tls=TRUSTING)
        answers = await asyncio.gather(*(network.fetch(request) for _ in range(10)))
    assert {answer.body for answer in answers} == {b"ok"}


async def _ping(network: EngineNetwork) -> None:
    try:
        report = await network.ping("127.0.0.1", PingOptions(count=2, spacing_s=0.001))
    except NetworkError as error:
        pytest.skip(error.message)
    assert len(report.round_trips_s) == 2


@pytest.mark.parametrize("scenario", [_streams, _refusals, _http, _ping])
def test_it_works_on_uvloop_too(scenario: object) -> None:
    async def run() -> None:
        network = EngineNetwork(EgressPolicy(allow_private=True))
        try:
            async with asyncio.timeout(20):
                await scenario(network)  # type: ignore[operator]  # one of the scenarios above
        finally:
            await network.aclose()

    uvloop.run(run())
