"""Mailboxes by IMAP (RFC 9051): find one mail by its Message-ID and take it out.

Bounded as all that goes out: the address is one the egress policy allows, a visit ends after its
time whatever the server does, and a server that says too much is left.
"""

import imaplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Final

from detectviz.contracts.errors import DeliveryError, NetworkError
from detectviz.contracts.mailbox import MailboxAccess
from detectviz.net.http import SyncHttpClient
from detectviz.net.tls import client_context

_MOST_BYTES: Final = 262_144
_CONTROL: Final = frozenset(map(chr, (*range(32), 127)))


class ImapMailbox:
    """contracts' Mailbox."""

    def __init__(self, http: SyncHttpClient) -> None:
        self._http = http

    def take(self, access: MailboxAccess, message_id: str) -> bool:
        """Delete the mail with ``message_id`` and return whether it was there."""
        written = access.username + access.password + access.folder + message_id
        if not _CONTROL.isdisjoint(written):
            raise DeliveryError(
                "User, password, folder and Message-ID are one line each.",
                reason="clientError",
                permanent=True,
            )
        with self._visit(access) as session:
            _log_in(session, access)
            return _take(session, access.folder, message_id)

    @contextmanager
    def _visit(self, access: MailboxAccess) -> Iterator["_Session"]:
        where = f"{access.host}:{access.port}"
        address = self._http.allowed_address(access.host, access.port, timeout_s=access.timeout_s)
        try:
            stream = socket.create_connection((address, access.port), timeout=access.timeout_s)
        except OSError as error:
            raise NetworkError(f"{where} can't be reached: {error}", phase="connect") from error
        try:
            with _cut_after(stream, access.timeout_s), _opened(stream, access) as session:
                yield session
        except imaplib.IMAP4.abort as error:
            raise NetworkError(f"{where} broke off: {error}", phase="receive") from error
        except ssl.SSLError as error:
            raise NetworkError(f"TLS with {where} failed: {error}", phase="tls") from error
        except OSError as error:
            raise NetworkError(f"{where} does not answer: {error}", phase="receive") from error
        except imaplib.IMAP4.error as error:
            raise DeliveryError(f"{where} says: {error}", reason="serverError") from error
        finally:
            stream.close()


@contextmanager
def _opened(stream: socket.socket, access: MailboxAccess) -> Iterator["_Session"]:
    session = _Session(stream, access)
    try:
        yield session
    finally:
        session.shutdown()


@contextmanager
def _cut_after(stream: socket.socket, timeout_s: float) -> Iterator[None]:
    """Break the connection once its time is over, TLS or not, whatever is being waited for."""
    with stream.dup() as same:
        timer = threading.Timer(timeout_s, _cut, (same,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            _cut(same)


class _Session(imaplib.IMAP4):
    """The protocol on a stream that is connected already."""

    def __init__(self, stream: socket.socket, access: MailboxAccess) -> None:
        self._heard = 0
        self._lines_of: socket.socket | None = None
        self._lines: IO[bytes] | None = None
        secured = None if access.security == "none" else client_context(access.tls)
        if secured is not None and access.security == "tls":
            stream = secured.wrap_socket(stream, server_hostname=access.host)
        self._stream = stream
        super().__init__(access.host, access.port)
        if secured is not None and access.security == "starttls":
            self.starttls(secured)

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        """Take the stream as it is."""
        del timeout
        self.host, self.port, self.sock = host, port, self._stream
        self.file = self._reader()

    def readline(self) -> bytes:
        """Read a line while the server keeps within bounds."""
        return self._hear(self._reader().readline(_MOST_BYTES))

    def read(self, size: int) -> bytes:
        """Read a literal while the server keeps within bounds."""
        if size > _MOST_BYTES:
            raise self.abort("it says too much")
        return self._hear(self._reader().read(size))

    def shutdown(self) -> None:
        """Leave the stream to whoever opened it."""
        if self._lines is not None:
            self._lines.close()
        with suppress(OSError):
            self.sock.close()

    def _hear(self, said: bytes) -> bytes:
        self._heard += len(said)
        if self._heard > _MOST_BYTES:
            raise self.abort("it says too much")
        return said

    def _reader(self) -> IO[bytes]:
        if self._lines is None or self._lines_of is not self.sock:
            self._lines_of, self._lines = self.sock, self.sock.makefile("rb")
        return self._lines


def _log_in(session: _Session, access: MailboxAccess) -> None:
    try:
        if "AUTH=PLAIN" in session.capabilities or not access.password.isascii():
            said = f"\0{access.username}\0{access.password}".encode("utf-8", "replace")
            session.authenticate("PLAIN", lambda _: said)
        else:
            session.login(_quoted(access.username), access.password)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        raise DeliveryError(
            f"{access.host}:{access.port} refuses {access.username}: check user and password.",
            reason="authError",
            permanent=True,
        ) from error


def _take(session: _Session, folder: str, message_id: str) -> bool:
    _ok(session.select(_quoted(folder)), f"there is no folder {folder}")
    wanted = ("UNDELETED", "HEADER", "Message-ID", _quoted(message_id))
    found = _ok(session.uid("SEARCH", *wanted), "it can't search")
    uids = (found[0] or b"").decode("ascii", "replace").split()
    # Servers tell all they can only to whoever has logged in.
    can = b" ".join(each or b"" for each in _ok(session.capability(), "it is silent")).upper()
    for uid in uids:
        _ok(session.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"), "it does not delete")
        # Without UIDPLUS it stays marked: a plain EXPUNGE would take other people's mail along.
        if b"UIDPLUS" in can.split():
            session.uid("EXPUNGE", uid)
    return bool(uids)


def _ok(answer: "tuple[str, list[bytes | None]]", otherwise: str) -> "list[bytes | None]":
    status, data = answer
    if status != "OK":
        raise imaplib.IMAP4.error(otherwise)
    return data


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _cut(stream: socket.socket) -> None:
    with suppress(OSError):
        stream.shutdown(socket.SHUT_RDWR)
