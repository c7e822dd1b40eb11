"""ICMP echo packets as bytes (RFC 792, RFC 4443)."""

import struct
from dataclasses import dataclass
from typing import Final

ECHO_REQUEST: Final = {4: 8, 6: 128}
ECHO_REPLY: Final = {4: 0, 6: 129}
HEADER: Final = struct.Struct("!BBHHH")
_ERRORS: Final = {
    (4, 3): "destination unreachable",
    (4, 11): "time to live exceeded in transit",
    (6, 1): "destination unreachable",
    (6, 2): "packet too big",
    (6, 3): "hop limit exceeded in transit",
}
_IPV6_HEADER_BYTES: Final = 40


@dataclass(frozen=True, slots=True)
class Echo:
    """A reply (``error`` empty) or an error about one of our requests."""

    identifier: int
    sequence: int
    payload: bytes
    error: str = ""


def checksum(data: bytes) -> int:
    """Compute the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def echo_request(version: int, identifier: int, sequence: int, payload: bytes) -> bytes:
    """Build an echo request; the kernel fills in the checksum of ICMPv6."""
    kind = ECHO_REQUEST[version]
    bare = HEADER.pack(kind, 0, 0, identifier, sequence) + payload
    total = checksum(bare) if version == 4 else 0  # noqa: PLR2004 - the IP version
    return HEADER.pack(kind, 0, total, identifier, sequence) + payload


def parse(version: int, packet: bytes) -> Echo | None:
    """Read what a socket received; None when it is not about an echo request."""
    message = _without_ipv4_header(packet) if version == 4 else packet  # noqa: PLR2004 - the IP version
    if len(message) < HEADER.size:
        return None
    kind, code, _, identifier, sequence = HEADER.unpack_from(message)
    if kind == ECHO_REPLY[version]:
        return Echo(identifier, sequence, message[HEADER.size :])
    name = _ERRORS.get((version, kind))
    return _quoted(version, message[HEADER.size :], f"{name} (code {code})") if name else None


def _without_ipv4_header(packet: bytes) -> bytes:
    # Raw sockets (and datagram ones on macOS) deliver the IP header too.
    if packet and packet[0] >> 4 == 4:  # noqa: PLR2004 - the IP version
        return packet[(packet[0] & 0x0F) * 4 :]
    return packet


def _quoted(version: int, quoted: bytes, error: str) -> Echo | None:
    """Read the request that an error quotes."""
    inner = _without_ipv4_header(quoted) if version == 4 else quoted[_IPV6_HEADER_BYTES:]  # noqa: PLR2004 - the IP version
    if len(inner) < HEADER.size or inner[0] != ECHO_REQUEST[version]:
        return None
    _, _, _, identifier, sequence = HEADER.unpack_from(inner)
    return Echo(identifier, sequence, b"", error)
