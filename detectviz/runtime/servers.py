"""The servers of a process as modules: web (ASGI), sys (health and metrics), Celery, beat."""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

import uvicorn
from django.conf import settings
from django.db import connections

from detectviz.celery import QUEUES, app
from detectviz.events.bus import publish
from detectviz.events.types import SoleWorkerStarts, WorkerStarts
from detectviz.observability.health import health_report
from detectviz.observability.metrics import CONTENT_TYPE, metrics_text
from detectviz.runtime import signals
from detectviz.runtime.beat import LEASE, beat_service
from detectviz.runtime.leases import lease_forget
from detectviz.runtime.modules import ModuleError
from detectviz.runtime.passage import serve_passed

START_TIMEOUT_S = 30.0
HEAVY_IDLE_S = 300.0
KEEP_ALIVE_S = 75  # senders that write every minute keep their connection

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class WebModule:
    """The web server, and the signals that reach open pages."""

    name: str = "web"
    depends_on: Sequence[str] = ("drivers",)
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None
    _receiver: signals.Receiver | None = None

    def start(self) -> None:
        """Serve until stopped; return once the port answers."""
        asgi = import_module("detectviz.asgi")
        self._receiver = signals.listen("web", asgi.hub.publish)
        self._server = uvicorn.Server(
            uvicorn.Config(
                asgi.application,
                host=settings.HOST,
                port=settings.PORT,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=5,
            )
        )
        self._thread = threading.Thread(target=self._server.run, name="web", daemon=True)
        self._thread.start()
        ends_at = time.monotonic() + START_TIMEOUT_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > ends_at:
                raise ModuleError(f"no web server on {settings.HOST}:{settings.PORT}")
            time.sleep(0.01)

    def complaint(self) -> str:
        """Tell when the thread has ended by itself."""
        return (
            "" if self._thread is not None and self._thread.is_alive() else "the web server ended"
        )

    def stop(self, deadline_s: float) -> None:
        """Finish requests under way; open streams end."""
        if self._receiver is not None:
            self._receiver.stop()
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(deadline_s)


@dataclass(slots=True)
class HeavyModule:
    """Answers what the web process hands over; ends its process when there is nothing for long."""

    listener: socket.socket
    name: str = "heavy"
    depends_on: Sequence[str] = ("drivers",)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _under_way: int = 0
    _answered: int = 0

    def start(self) -> None:
        """Serve from a thread."""
        self._thread = threading.Thread(target=self._run, name="heavy", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        application = import_module("detectviz.asgi").heavy_application

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._under_way += 1
            try:
                await serve_passed(application, reader, writer)
            finally:
                self._under_way -= 1
                self._answered += 1
                self._end_later()

        async def listen() -> None:
            async with await asyncio.start_unix_server(serve, sock=self.listener) as server:
                self._end_later()
                await server.serve_forever()

        asyncio.set_event_loop(self._loop)
        with suppress(RuntimeError):  # it is stopped
            self._loop.run_until_complete(listen())

    def _end_later(self) -> None:
        """End the process unless something comes in the next minutes."""
        answered = self._answered

        def end() -> None:
            if not self._under_way and self._answered == answered:
                os.kill(os.getpid(), signal.SIGTERM)

        self._loop.call_later(HEAVY_IDLE_S, end)

    def complaint(self) -> str:
        """Tell when the thread has ended by itself."""
        return "" if self._thread is not None and self._thread.is_alive() else "its loop ended"

    def stop(self, deadline_s: float) -> None:
        """Stop answering; the web process says so to who still waits."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(deadline_s)


class _SysHandler(BaseHTTPRequestHandler):
    """``/healthz``, ``/readyz`` and ``/metrics`` for processes without a web server."""

    def do_GET(self) -> None:
        """Answer one of the three."""
        try:
            self._answer_path()
        finally:
            connections.close_all()  # this thread ends with its request

    def _answer_path(self) -> None:
        if self.path == "/healthz":
            self._answer(200, b"ok\n", "text/plain")
        elif self.path == "/readyz":
            report = health_report()
            self._answer(200 if report.is_ready else 503, report.as_json(), "application/json")
        elif self.path == "/metrics":
            self._answer(200, metrics_text(), CONTENT_TYPE)
        else:
            self._answer(404, b"not found\n", "text/plain")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Say nothing: probes come every few seconds."""


@dataclass(slots=True)
class SysModule:
    """Health and metrics on the sys port."""

    name: str = "sys"
    depends_on: Sequence[str] = ("drivers",)
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Bind and serve from a thread."""
        try:
            self._server = ThreadingHTTPServer((settings.HOST, settings.SYS_PORT), _SysHandler)
        except OSError as error:
            raise ModuleError(
                f"port {settings.SYS_PORT} is taken ({error.strerror}); set DETECTVIZ_SYS_PORT"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="sys", daemon=True)
        self._thread.start()

    def complaint(self) -> str:
        """Tell when the thread has ended by itself."""
        return "" if self._thread is not None and self._thread.is_alive() else "its server ended"

    def stop(self, deadline_s: float) -> None:
        """Close the port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


@dataclass(slots=True)
class WorkerModule:
    """A Celery worker in a thread of this process.

    ``is_sole`` says that no other worker can be alive: leases of an earlier life end at once.
    Otherwise those do that killed processes of this machine held.
    """

    queues: Sequence[str] = QUEUES
    pool: str = "threads"
    concurrency: int = 4
    is_sole: bool = False
    name: str = "worker"
    depends_on: Sequence[str] = ("drivers",)
    _worker: Any = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start consuming; the broker may come later, Celery waits for it."""
        publish(SoleWorkerStarts() if self.is_sole else WorkerStarts())
        app.conf.worker_proc_alive_timeout = START_TIMEOUT_S
        self._worker = app.WorkController(
            pool=self.pool,
            concurrency=self.concurrency,
            queues=",".join(self.queues),
            hostname=f"{self.name}@{socket.gethostname()}",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            loglevel="WARNING",
        )
        self._thread = threading.Thread(target=self._worker.start, name=self.name, daemon=True)
        self._thread.start()

    def complaint(self) -> str:
        """Tell when the thread has ended by itself."""
        return (
            ""
            if self._thread is not None and self._thread.is_alive()
            else "the Celery worker ended"
        )

    def stop(self, deadline_s: float) -> None:
        """Finish running tasks; what is queued is found again in SQL."""
        if self._worker is not None and self._thread is not None:
            self._worker.stop()
            self._thread.join(deadline_s)


@dataclass(slots=True)
class BeatModule:
    """Celery beat in a thread; only the lease holder ticks (at once, where there is no other)."""

    is_sole: bool = False
    name: str = "beat"
    depends_on: Sequence[str] = ("drivers",)
    _service: Any = field(default=None)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start ticking."""
        if self.is_sole:
            lease_forget(name=LEASE)
        self._service = beat_service()
        self._thread = threading.Thread(target=self._service.start, name="beat", daemon=True)
        self._thread.start()

    def complaint(self) -> str:
        """Tell when the thread has ended by itself."""
        return "" if self._thread is not None and self._thread.is_alive() else "the scheduler ended"

    def stop(self, deadline_s: float) -> None:
        """Stop and give the lease back."""
        if self._service is not None and self._thread is not None:
            self._service.stop()
            self._thread.join(deadline_s)
