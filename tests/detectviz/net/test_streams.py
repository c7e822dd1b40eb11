import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from detectviz.contracts.errors import (
    CertificateError,
    ConfigurationError,
    DeadlineExceededError,
    NetworkError,
)
from detectviz.contracts.network import TlsOptions
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.testing.http_server import TestAuthority, silent_port
from detectviz.testing.services import free_port


@pytest.fixture
async def network() -> AsyncIterator[EngineNetwork]:
    made = EngineNetwork(EgressPolicy(allow_private=True))
    yield made
    await made.aclose()


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority()


@asynccontextmanager
async def echo_server(
    tls: ssl.SSLContext | None = None, *, upgrade: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                if line == b"STARTTLS\n" and upgrade is not None:
                    writer.write(b"go\n")
                    await writer.drain()
                    await writer.start_tls(upgrade)
                    continue
                if line == b"BYE\n":
                    break
                writer.write(line)
                await writer.drain()
        except (OSError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_bytes_go_and_come_and_the_peer_and_phases_are_known(network: EngineNetwork) -> None:
    async with echo_server() as port:
        connection = await network.connect("localhost", port, ip_family="ipv4")
        await connection.send(b"hello\n")
        assert await connection.receive_exactly(6) == b"hello\n"
        assert connection.remote_ip == "127.0.0.1"
        assert connection.phases.connect > 0
        assert connection.tls is None
        await connection.close()
        await connection.close()


async def test_a_stream_that_ends_early_says_how_much_came(network: EngineNetwork) -> None:
    async with echo_server() as port:
        connection = await network.connect("127.0.0.1", port)
        await connection.send(b"abc\nBYE\n")
        with pytest.raises(NetworkError, match="after 4 of 10 bytes"):
            await connection.receive_exactly(10)
        assert await connection.receive() == b""
        await connection.close()


async def test_a_closed_port_is_refused_by_name(network: EngineNetwork) -> None:
    port = free_port()
    with pytest.raises(NetworkError, match=f"connection refused by 127.0.0.1:{port}") as caught:
        await network.connect("127.0.0.1", port)
    assert caught.value.phase == "connect"


async def test_tls_from_the_first_byte_reports_the_verified_chain(
    network: EngineNetwork, authority: TestAuthority
) -> None:
    async with echo_server(authority.server_context()) as port:
        options = TlsOptions(ca_pem=authority.ca_pem)
        connection = await network.connect("127.0.0.1", port, tls=options)
        await connection.send(b"x\n")
        assert await connection.receive() == b"x\n"
        await connection.close()
    assert connection.tls is not None
    assert (connection.tls.version, connection.tls.verified) == ("TLS 1.3", True)
    assert connection.tls.chain
    assert connection.phases.tls > 0


async def test_an_upgraded_stream_is_encrypted_from_then_on(
    network: EngineNetwork, authority: TestAuthority
) -> None:
    async with echo_server(upgrade=authority.server_context()) as port:
        connection = await network.connect("127.0.0.1", port)
        await connection.send(b"STARTTLS\n")
        assert await connection.receive_exactly(3) == b"go\n"
        options = TlsOptions(ca_pem=authority.ca_pem)
        report = await connection.start_tls(options, server_name="localhost")
        await connection.send(b"y\n")
        assert await connection.receive() == b"y\n"
        await connection.close()
    assert report.verified
    assert report.chain


async def test_a_refused_certificate_is_told_with_the_chain_presented(
    network: EngineNetwork, authority: TestAuthority
) -> None:
    async with echo_server(authority.server_context()) as port:
        with pytest.raises(CertificateError, match="not trusted") as caught:
            await network.connect("127.0.0.1", port, tls=TlsOptions())
    assert caught.value.report is not None
    assert caught.value.report.chain


async def test_without_verification_the_report_says_what_is_wrong(
    network: EngineNetwork, authority: TestAuthority
) -> None:
    ended = datetime.now(UTC) - timedelta(days=1)
    leaf = authority.authority.issue_cert("127.0.0.1", not_after=ended)
    faults = [
        (authority.server_context(leaf), "", "expired on"),
        (authority.server_context(), "elsewhere.example", "not valid for elsewhere.example"),
    ]
    for context, name, fault in faults:
        options = TlsOptions(verify=False, ca_pem=authority.ca_pem, server_name=name)
        async with echo_server(context) as port:
            connection = await network.connect("127.0.0.1", port, tls=options)
            await connection.close()
        assert connection.tls is not None
        assert not connection.tls.verified
        assert fault in connection.tls.verify_error


async def test_a_server_that_speaks_no_tls_fails_in_the_tls_phase(network: EngineNetwork) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ready\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NetworkError) as caught:
            await network.connect("127.0.0.1", port, tls=TlsOptions(), timeout_s=5)
    assert caught.value.phase == "tls"


async def test_a_silent_server_times_out_in_the_tls_phase(network: EngineNetwork) -> None:
    with silent_port() as port, pytest.raises(DeadlineExceededError) as caught:
        await network.connect("127.0.0.1", port, tls=TlsOptions(), timeout_s=0.5)
    assert caught.value.phase == "tls"


async def test_unusable_tls_material_is_a_configuration_error(network: EngineNetwork) -> None:
    async with echo_server() as port:
        with pytest.raises(ConfigurationError):
            await network.connect("127.0.0.1", port, tls=TlsOptions(ca_pem="not a certificate"))


async def test_a_literal_of_the_other_family_is_refused(network: EngineNetwork) -> None:
    with pytest.raises(NetworkError) as caught:
        await network.resolve("127.0.0.1", ip_family="ipv6")
    assert caught.value.phase == "resolve"


async def test_names_resolve_in_the_family_asked_for(network: EngineNetwork) -> None:
    found = await network.resolve("localhost", ip_family="ipv4")
    again = await network.resolve("localhost", ip_family="ipv4")
    assert found.addresses == again.addresses == ("127.0.0.1",)
    with pytest.raises(NetworkError, match="cannot resolve"):
        await network.resolve("nosuch.invalid")


async def test_a_datagram_is_answered(network: EngineNetwork) -> None:
    class Upper(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, addr: object) -> None:
            self.transport.sendto(data.upper(), addr)  # type: ignore[arg-type]  # an address, opaque here

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Upper, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        answer = await network.exchange_datagram(
            "127.0.0.1", port, b"abc", ip_family="auto", timeout_s=2
        )
    finally:
        transport.close()
        await asyncio.sleep(0)
    assert answer == (b"ABC", "127.0.0.1")


async def test_a_datagram_nobody_takes_is_an_error_at_once(network: EngineNetwork) -> None:
    with pytest.raises(NetworkError, match="nothing listens"):
        await network.exchange_datagram(
            "127.0.0.1", free_port(), b"abc", ip_family="auto", timeout_s=5
        )
