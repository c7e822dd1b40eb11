"""Receivers that write down what they are told: the oracle of delivery tests."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from detectviz.testing.services import free_port


@dataclass(slots=True)
class Hook:
    """A webhook receiver: what it answers and how late; ``arrived`` is set by every request.

    ``times`` are when the accepted ``calls`` came (Unix seconds).
    """

    port: int
    status: int = 200
    delay_s: float = 0.0
    arrived: threading.Event = field(default_factory=threading.Event)
    calls: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def words(self) -> list[tuple[str, str]]:
        """(status, alertname) of every accepted notification, in order."""
        return [
            (body["status"], body["commonLabels"].get("alertname", "")) for _, body in self.calls
        ]

    @property
    def ids(self) -> list[str]:
        """The webhook-id of every accepted notification."""
        return [headers.get("webhook-id", "") for headers, _ in self.calls]


@contextmanager
def webhook_receiver() -> Iterator[Hook]:
    """Run a receiver on a free port of loopback."""
    hook = Hook(port=0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            now = time.time()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.arrived.set()
            if hook.status < 300:
                hook.times.append(now)
                headers = {name.lower(): value for name, value in self.headers.items()}
                hook.calls.append((headers, json.loads(body)))
            time.sleep(hook.delay_s)
            self.send_response(hook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()


@dataclass(slots=True)
class Mailbox:
    """Everything a mail server accepted."""

    port: int
    messages: list[EmailMessage] = field(default_factory=list)

    @property
    def subjects(self) -> list[str]:
        """The subjects, in order."""
        return [str(message["Subject"]) for message in self.messages]


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Run an SMTP server on a free port of loopback that keeps what it accepts."""
    mailbox = Mailbox(port=free_port())

    class Handler:
        async def handle_DATA(  # noqa: N802 - the name aiosmtpd calls
            self, server: SMTP, session: Session, envelope: Envelope
        ) -> str:
            content = envelope.original_content or b""
            message = message_from_bytes(content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            mailbox.messages.append(message)
            return "250 kept"

    controller = Controller(Handler(), hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@dataclass(slots=True)
class Target:
    """A web page that can be taken down and brought back on the same port.

    ``requests`` maps each path to when it was asked for (seconds of the monotonic clock).
    """

    port: int
    requests: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What to watch."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Serve."""
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests[self.path].append(time.monotonic())
                self.send_response(200)
                self.send_header("Content-Length", "3")
                self.end_headers()
                self.wfile.write(b"ok\n")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None


@contextmanager
def web_target() -> Iterator[Target]:
    """Run a target on a free port of loopback."""
    target = Target(port=0)
    target.start()
    try:
        yield target
    finally:
        target.stop()
