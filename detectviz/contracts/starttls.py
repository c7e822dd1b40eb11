"""Asking for TLS inside other protocols, for every collector that checks one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from detectviz.contracts.errors import NetworkError
from detectviz.contracts.network import Connection, TlsOptions, TlsReport

_LONGEST_LINE_BYTES = 8_192
_MOST_LINES = 100
_POSTGRES_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
# LDAPMessage 1, extended request 1.3.6.1.4.1.1466.20037 (RFC 4511, 4.14.1).
_LDAP_START_TLS = bytes.fromhex("301d02010177188016312e332e362e312e342e312e313436362e3230303337")
_LDAP_RESULT_CODE = bytes.fromhex("0a0100")
_MYSQL_SSL_REQUEST = bytes.fromhex("20000001" + "85ae0f00" + "00000001" + "21" + "00" * 23)
_MYSQL_CAPABILITY_SSL = 0x0800


@dataclass(slots=True)
class _Dialogue:
    """Reads lines and bytes of the clear-text part; nothing may be left over before TLS starts."""

    connection: Connection
    _buffer: bytes = field(default=b"")

    async def line(self) -> str:
        while b"\n" not in self._buffer:
            if len(self._buffer) > _LONGEST_LINE_BYTES:
                raise _refused("its greeting is longer than a line may be")
            await self._more()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    async def reply(self, code: str) -> str:
        """Read one reply of possibly several lines (``250-…`` then ``250 …``)."""
        for _ in range(_MOST_LINES):
            line = await self.line()
            if line[3:4] != "-":
                if not line.startswith(code):
                    raise _refused(f"it said {line[:200]!r} where {code} was expected")
                return line
        raise _refused("its reply does not end")

    async def until(self, tag: str) -> str:
        """Read lines up to the one that starts with ``tag``."""
        for _ in range(_MOST_LINES):
            line = await self.line()
            if line.startswith(tag):
                return line
        raise _refused(f"it never said {tag}")

    async def exactly(self, count: int) -> bytes:
        if count > _LONGEST_LINE_BYTES:
            raise _refused("it does not speak the protocol")
        while len(self._buffer) < count:
            await self._more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    async def say(self, text: str) -> None:
        await self.connection.send(f"{text}\r\n".encode())

    def require_empty(self) -> None:
        # Bytes sent along with the go-ahead were never protected: command injection.
        if self._buffer:
            raise _refused("it sent more before TLS began")

    async def _more(self) -> None:
        data = await self.connection.receive()
        if not data:
            raise _refused("it closed the connection")
        self._buffer += data


async def _smtp(dialogue: _Dialogue) -> None:
    await dialogue.reply("220")
    await dialogue.say("EHLO detectviz.invalid")
    await dialogue.reply("250")
    await dialogue.say("STARTTLS")
    await dialogue.reply("220")


async def _ftp(dialogue: _Dialogue) -> None:
    await dialogue.reply("220")
    await dialogue.say("AUTH TLS")
    await dialogue.reply("234")


async def _nntp(dialogue: _Dialogue) -> None:
    await dialogue.reply("20")
    await dialogue.say("STARTTLS")
    await dialogue.reply("382")


async def _imap(dialogue: _Dialogue) -> None:
    await dialogue.until("* ")
    await dialogue.say("a1 STARTTLS")
    _require((await dialogue.until("a1 ")).upper(), "A1 OK")


async def _pop3(dialogue: _Dialogue) -> None:
    _require(await dialogue.line(), "+OK")
    await dialogue.say("STLS")
    _require(await dialogue.line(), "+OK")


async def _sieve(dialogue: _Dialogue) -> None:
    await dialogue.until("OK")
    await dialogue.say("STARTTLS")
    await dialogue.until("OK")


async def _postgres(dialogue: _Dialogue) -> None:
    await dialogue.connection.send(_POSTGRES_SSL_REQUEST)
    if await dialogue.exactly(1) != b"S":
        raise _refused("it does not offer TLS")


async def _mysql(dialogue: _Dialogue) -> None:
    header = await dialogue.exactly(4)
    greeting = await dialogue.exactly(int.from_bytes(header[:3], "little"))
    after_version = greeting.partition(b"\0")[2]
    flags = int.from_bytes(after_version[13:15], "little")
    if not flags & _MYSQL_CAPABILITY_SSL:
        raise _refused("it does not offer TLS")
    await dialogue.connection.send(_MYSQL_SSL_REQUEST)


async def _ldap(dialogue: _Dialogue) -> None:
    await dialogue.connection.send(_LDAP_START_TLS)
    header = await dialogue.exactly(2)
    answer = await dialogue.exactly(header[1])
    if _LDAP_RESULT_CODE not in answer:
        raise _refused("it does not offer TLS")


_DIALOGUES: dict[str, Callable[[_Dialogue], Awaitable[None]]] = {
    "ftp": _ftp,  # RFC 4217
    "imap": _imap,  # RFC 3501
    "ldap": _ldap,  # RFC 4511
    "mysql": _mysql,  # MySQL client/server protocol, SSLRequest
    "nntp": _nntp,  # RFC 4642
    "pop3": _pop3,  # RFC 2595
    "postgres": _postgres,  # PostgreSQL frontend/backend protocol, SSLRequest
    "sieve": _sieve,  # RFC 5804
    "smtp": _smtp,  # RFC 3207
}
STARTTLS_PROTOCOLS = tuple(_DIALOGUES)
"""The protocols ``upgrade`` speaks."""


async def upgrade(
    connection: Connection, protocol: str, options: TlsOptions, *, server_name: str
) -> TlsReport:
    """Ask for TLS as ``protocol`` does and start it on ``connection``.

    Raise NetworkError (phase ``tls``) when the server does not offer it, CertificateError when its
    certificate is refused.
    """
    dialogue = _Dialogue(connection)
    await _DIALOGUES[protocol](dialogue)
    dialogue.require_empty()
    return await connection.start_tls(options, server_name=server_name)


def _require(line: str, start: str) -> None:
    if not line.startswith(start):
        raise _refused(f"it said {line[:200]!r}")


def _refused(reason: str) -> NetworkError:
    return NetworkError(f"the server did not begin TLS: {reason}", phase="tls")
