"""Carrying a DNS message to a server and back: UDP, TCP, TLS (RFC 7858), HTTPS (RFC 8484)."""

from dataclasses import dataclass
from http import HTTPStatus

import dns.message

from detectviz.contracts.collector import CollectorContext
from detectviz.contracts.config import get_bool, get_number, get_text
from detectviz.contracts.errors import NetworkError
from detectviz.contracts.network import HttpRequest, IpFamily, TlsOptions
from plugins.collectors.dns.codec import is_truncated, read_answer

_FAMILIES: dict[str, IpFamily] = {"ipv4": "ipv4", "ipv6": "ipv6"}
_PORTS = {"udp": 53, "tcp": 53, "tls": 853}
_MEDIA_TYPE = "application/dns-message"
_LARGEST_MESSAGE_BYTES = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One server's answer, and how long the whole exchange took."""

    message: dns.message.Message
    address: str
    duration_s: float
    transport: str


async def ask(context: CollectorContext, server: str, query: dns.message.QueryMessage) -> Reply:
    """Ask ``server`` and return its answer; raise NetworkError."""
    started = context.monotonic()
    transport = get_text(context.config, "transport")
    if server.startswith("https://"):
        transport = "https"
    wire, address = await _carry(context, transport, server, query)
    answer = read_answer(query, wire)
    if transport == "udp" and is_truncated(answer):
        transport = "tcp"
        wire, address = await _carry(context, transport, server, query)
        answer = read_answer(query, wire)
    return Reply(
        message=answer,
        address=address,
        duration_s=context.monotonic() - started,
        transport=transport,
    )


async def _carry(
    context: CollectorContext, transport: str, server: str, query: dns.message.QueryMessage
) -> tuple[bytes, str]:
    if transport == "https":
        return await _by_https(context, server, query)
    host = server.strip("[]")
    port = int(get_number(context.config, "port") or _PORTS[transport])
    if transport == "udp":
        return await context.network.exchange_datagram(
            host,
            port,
            query.to_wire(),
            ip_family=_family(context),
            timeout_s=context.timeout_s,
        )
    return await _by_stream(context, host, port, query, is_tls=transport == "tls")


async def _by_stream(
    context: CollectorContext,
    host: str,
    port: int,
    query: dns.message.QueryMessage,
    *,
    is_tls: bool,
) -> tuple[bytes, str]:
    connection = await context.network.connect(
        host,
        port,
        tls=_tls_options(context) if is_tls else None,
        ip_family=_family(context),
        timeout_s=context.timeout_s,
    )
    try:
        wire = query.to_wire()
        await connection.send(len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(await connection.receive_exactly(2), "big")
        return await connection.receive_exactly(length), connection.remote_ip
    finally:
        await connection.close()


async def _by_https(
    context: CollectorContext, server: str, query: dns.message.QueryMessage
) -> tuple[bytes, str]:
    url = server if server.startswith("https://") else f"https://{server}/dns-query"
    response = await context.network.fetch(
        HttpRequest(
            url=url,
            method="POST",
            headers=(("Content-Type", _MEDIA_TYPE), ("Accept", _MEDIA_TYPE)),
            body=query.to_wire(),
            timeout_s=context.timeout_s,
            follow_redirects=False,
            max_body_bytes=_LARGEST_MESSAGE_BYTES,
            ip_family=_family(context),
            tls=_tls_options(context),
        )
    )
    if response.status_code != HTTPStatus.OK:
        message = f"{url} answered {response.status_code}, not 200"
        raise NetworkError(message, phase="receive")
    return response.body, response.remote_ip


def _tls_options(context: CollectorContext) -> TlsOptions:
    config = context.config
    return TlsOptions(
        verify=get_bool(config, "verify", default=True),
        server_name=get_text(config, "server_name"),
        ca_pem=get_text(config, "ca_pem"),
    )


def _family(context: CollectorContext) -> IpFamily:
    return _FAMILIES.get(get_text(context.config, "ip_family"), "auto")
