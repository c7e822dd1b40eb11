"""A real HTTP server on loopback whose answers a test decides, with TLS when it asks for it."""

import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import trustme

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """What the server was asked; header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server says. ``delay_s`` passes before the status line."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    delay_s: float = 0.0


Respond: TypeAlias = Callable[[ReceivedRequest], Answer]


def json_answer(value: object, *, status: int = 200) -> Answer:
    """Answer with JSON."""
    return Answer(
        status=status,
        headers=(("Content-Type", "application/json"),),
        body=json.dumps(value).encode(),
    )


@dataclass(slots=True, kw_only=True)
class TestAuthority:
    """A certificate authority for one test run and what it issued."""

    __test__ = False

    authority: trustme.CA = field(default_factory=trustme.CA)

    @property
    def ca_pem(self) -> str:
        """The authority's certificate as PEM text."""
        pem: str = self.authority.cert_pem.bytes().decode()
        return pem

    def server_context(self, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """Build a server context; by default for ``localhost`` and 127.0.0.1."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf = certificate or self.authority.issue_cert("localhost", LOOPBACK, "::1")
        leaf.configure_cert(context)
        return context


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = ReceivedRequest(
            method=self.command,
            path=parts.path,
            query=parts.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        self.server.requests.append(request)
        answer = self.server.respond(request)
        if answer.delay_s:
            time.sleep(answer.delay_s)  # the delay is the answer under test
        self.send_response(answer.status)
        names = {name.lower() for name, _ in answer.headers}
        for name, value in answer.headers:
            self.send_header(name, value)
        if "content-length" not in names:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any  # noqa: N815 - the base class looks these names up

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, respond: Respond, *, family: socket.AddressFamily, host: str) -> None:
        self.address_family = family
        self.requests: list[ReceivedRequest] = []
        self.respond = respond
        super().__init__((host, 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients under test hang up in the middle on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """Where the server listens and what it was asked so far."""

    scheme: str
    host: str
    port: int
    requests: list[ReceivedRequest]

    @property
    def url(self) -> str:
        """The root, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@contextmanager
def http_server(
    respond: Respond, *, tls: ssl.SSLContext | None = None, host: str = LOOPBACK
) -> Iterator[RunningServer]:
    """Serve until the block ends."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = _Server(respond, family=family, host=host)
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield RunningServer(
            scheme="https" if tls else "http",
            host=host,
            port=server.server_address[1],
            requests=server.requests,
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def silent_port() -> Iterator[int]:
    """Listen and never answer: connections open, nothing comes."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(64)
        yield listener.getsockname()[1]
