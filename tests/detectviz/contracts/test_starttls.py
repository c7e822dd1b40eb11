"""Each protocol is asked for TLS in its own words."""

from dataclasses import dataclass, field

import pytest

from detectviz.contracts.errors import NetworkError
from detectviz.contracts.network import Phases, TlsOptions, TlsReport
from detectviz.contracts.starttls import STARTTLS_PROTOCOLS, upgrade

REPORT = TlsReport(version="TLS 1.3", cipher="x", verified=True)
MYSQL_GREETING = b"\x0a8.0.36\0" + b"\1\2\3\4" + b"12345678\0" + b"\x00\x0a" + b"\0" * 20


@dataclass(slots=True)
class Script:
    """A connection whose peer speaks first what it must, then one answer per thing it is told."""

    greeting: bytes
    answers: list[bytes]
    told: list[bytes] = field(default_factory=list)
    waiting: bytes = b""
    is_secure: bool = False
    remote_ip: str = "127.0.0.1"
    phases: Phases = field(default_factory=Phases)
    tls: TlsReport | None = None

    def __post_init__(self) -> None:
        self.waiting = self.greeting

    async def send(self, data: bytes) -> None:
        self.told.append(data)
        self.waiting += self.answers.pop(0) if self.answers else b""

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        # Three bytes at a time: nothing may rely on whole lines arriving together.
        taken, self.waiting = self.waiting[:3], self.waiting[3:]
        return taken

    async def receive_exactly(self, count: int) -> bytes:
        raise NotImplementedError

    async def start_tls(self, options: TlsOptions, *, server_name: str) -> TlsReport:
        self.is_secure = True
        return REPORT

    async def close(self) -> None:
        """Stay open."""


GOOD: dict[str, tuple[bytes, list[bytes], list[bytes]]] = {
    "smtp": (
        b"220-mx\r\n220 mx\r\n",
        [b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n"],
        [b"EHLO detectviz.invalid\r\n", b"STARTTLS\r\n"],
    ),
    "ftp": (b"220 ftp\r\n", [b"234 go\r\n"], [b"AUTH TLS\r\n"]),
    "nntp": (b"200 news\r\n", [b"382 go\r\n"], [b"STARTTLS\r\n"]),
    "imap": (b"* OK ready\r\n", [b"* CAPABILITY x\r\na1 OK go\r\n"], [b"a1 STARTTLS\r\n"]),
    "pop3": (b"+OK ready\r\n", [b"+OK go\r\n"], [b"STLS\r\n"]),
    "sieve": (b'"SIEVE" "x"\r\nOK "hi"\r\n', [b'OK "go"\r\n'], [b"STARTTLS\r\n"]),
    "postgres": (b"", [b"S"], [bytes.fromhex("0000000804d2162f")]),
    "mysql": (len(MYSQL_GREETING).to_bytes(3, "little") + b"\0" + MYSQL_GREETING, [b""], []),
    "ldap": (b"", [bytes.fromhex("300c02010178070a010004000400")], []),
}
BAD: dict[str, tuple[bytes, list[bytes]]] = {
    "smtp": (b"220 mx\r\n", [b"250 mx\r\n", b"502 no\r\n"]),
    "ftp": (b"220 ftp\r\n", [b"500 no\r\n"]),
    "nntp": (b"502 go away\r\n", []),
    "imap": (b"* OK ready\r\n", [b"a1 BAD no\r\n"]),
    "pop3": (b"+OK ready\r\n", [b"-ERR no\r\n"]),
    "sieve": (b'OK "hi"\r\n', [b'NO "no"\r\n']),
    "postgres": (b"", [b"N"]),
    "mysql": (b"\x20\0\0\0" + b"\x0a8.0\0" + b"\0" * 27, [b""]),
    "ldap": (b"", [bytes.fromhex("300c02010178070a013504000400")]),
}


@pytest.mark.parametrize("protocol", STARTTLS_PROTOCOLS)
async def test_a_server_that_offers_tls_is_upgraded(protocol: str) -> None:
    greeting, answers, told = GOOD[protocol]
    connection = Script(greeting, answers)
    assert await upgrade(connection, protocol, TlsOptions(), server_name="x") is REPORT
    assert connection.is_secure
    if told:
        assert connection.told == told


@pytest.mark.parametrize("protocol", STARTTLS_PROTOCOLS)
async def test_a_server_that_does_not_is_told_apart(protocol: str) -> None:
    connection = Script(*BAD[protocol])
    with pytest.raises(NetworkError, match="did not begin TLS") as refused:
        await upgrade(connection, protocol, TlsOptions(), server_name="x")
    assert refused.value.phase == "tls"
    assert not connection.is_secure


async def test_bytes_sent_before_tls_are_not_taken_into_it() -> None:
    connection = Script(b"+OK ready\r\n", [b"+OK go\r\n+OK injected\r\n"])
    # One more byte than the line arrives with it, whatever the chunks.
    with pytest.raises(NetworkError, match="more before TLS"):
        await upgrade(connection, "pop3", TlsOptions(), server_name="x")


@pytest.mark.parametrize("greeting", [b"x" * 10_000, b"220-more\r\n" * 200, b"22"])
async def test_endless_and_broken_greetings_end(greeting: bytes) -> None:
    with pytest.raises(NetworkError):
        await upgrade(Script(greeting, []), "smtp", TlsOptions(), server_name="x")
