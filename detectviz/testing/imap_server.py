"""A small IMAP server of one mailbox, as far as looking for a mail and deleting it goes."""

import base64
import shlex
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

_FIRST: Final = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN"
_THEN: Final = b"* CAPABILITY IMAP4rev1 UIDPLUS"  # as Dovecot: more to whoever logged in


@dataclass(slots=True)
class ImapServer:
    """What the mailbox holds, by UID, and who may log in."""

    user: str = "probe"
    password: str = "pass word"
    mails: dict[int, str] = field(default_factory=dict)
    port: int = 0
    tls: ssl.SSLContext | None = None
    starttls: ssl.SSLContext | None = None
    flood: bool = False

    def answer(self, words: list[str], *, is_known: bool = True) -> tuple[list[bytes], str]:
        """Return untagged lines and the status for a command of somebody who logged in or not."""
        match [word.upper() if index < 2 else word for index, word in enumerate(words)]:
            case ["CAPABILITY"]:
                start = b" STARTTLS" if self.starttls else b""
                return [_THEN if is_known else _FIRST + start], "OK"
            case ["SELECT", folder]:
                status = "OK" if folder == "INBOX" else "NO"
                return [b"* %d EXISTS" % len(self.mails)], status
            case ["UID", "SEARCH", *criteria]:
                uids = [uid for uid, name in self.mails.items() if name == criteria[-1]]
                return [b"* SEARCH " + " ".join(map(str, uids)).encode()], "OK"
            case ["UID", "STORE", *_]:
                return [], "OK"
            case ["UID", "EXPUNGE", uid]:
                self.mails.pop(int(uid), None)
                return [], "OK"
        return [], "BAD"


class _Handler(socketserver.StreamRequestHandler):
    server: "_Server"
    is_known = False

    def handle(self) -> None:
        mailbox = self.server.mailbox
        if mailbox.tls is not None:
            self._secure(mailbox.tls)
        self._say(b"* OK ready")
        while mailbox.flood:
            self._say(b"* OK " + b"x" * 10_000)
        while line := self.rfile.readline():
            tag, *words = shlex.split(line.decode())
            self._obey(mailbox, tag, words)

    def _obey(self, mailbox: ImapServer, tag: str, words: list[str]) -> None:
        if words[0] == "AUTHENTICATE":
            self._say(b"+ ")
            said = base64.b64decode(self.rfile.readline()).decode().split("\0")
            status = "OK" if said == ["", mailbox.user, mailbox.password] else "NO"
            self.is_known = status == "OK"
            self._say(f"{tag} {status} that was it".encode())
        elif words[0] == "STARTTLS" and mailbox.starttls is not None:
            self._say(f"{tag} OK begin".encode())
            self._secure(mailbox.starttls)
        else:
            lines, status = mailbox.answer(words, is_known=self.is_known)
            for said_line in lines:
                self._say(said_line)
            self._say(f"{tag} {status} that was it".encode())

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")

    def _secure(self, context: ssl.SSLContext) -> None:
        self.request = context.wrap_socket(self.request, server_side=True)
        self.rfile = self.request.makefile("rb")
        self.wfile = self.request.makefile("wb", buffering=0)

    def finish(self) -> None:
        self.request.close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, mailbox: ImapServer) -> None:
        self.mailbox = mailbox
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that leave early are what tests are about."""


@contextmanager
def imap_server(mailbox: ImapServer) -> Iterator[ImapServer]:
    """Serve a mailbox on a free port of this machine, set as ``port``."""
    with _Server(mailbox) as server:
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()
