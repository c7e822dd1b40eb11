"""One child process: started, fed, watched and ended by a thread of its own.

The thread that starts the child is the one that watches it, because the kernel ends a child that
asked to die with its parent when the starting *thread* ends. Nobody else ever blocks on the child:
what is sent waits in memory, and a child that does not read is ended.
"""

import contextlib
import logging
import os
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from detectviz.pluginhost.sandbox.child import wire
from detectviz.pluginhost.sandbox.limits import Limits

Message = dict[str, Any]
Sink = Callable[[Message], None]
Told = Callable[[str, str], None]
ATTEMPTS: Final = frozenset({"processes", "network", "files", "imports"})
_STALLED_S: Final = 5.0
_TICK_S: Final = 0.2
_CHUNK: Final = 262_144
_LINES_PER_S: Final = 50
_LINE: Final = 1_000
_KEPT_WORDS: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a child. ``greeting`` are the parameters of the handshake."""

    label: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    greeting: dict[str, Any]


@dataclass(slots=True)
class _Call:
    sink: Sink
    logger: logging.Logger
    services: int = 0
    abandoned_at: float | None = None
    answered: bool = False


class _Voice:
    """What a child says: bounded per second, and its last words kept."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger
        self._at = 0.0
        self._lines = 0
        self._words = ""

    @property
    def last_line(self) -> str:
        """The last line it wrote."""
        return self._words.strip().rpartition("\n")[2][-_LINE:]

    def may_speak(self) -> bool:
        """Count one thing said; tell whether it is heard."""
        now = time.monotonic()
        if now - self._at >= 1:
            self._at, self._lines = now, 0
        self._lines += 1
        return self._lines <= _LINES_PER_S

    def hear(self, words: bytes) -> None:
        """Log what it wrote to its standard error."""
        text = words.decode("utf-8", "replace")
        self._words = (self._words + text)[-_KEPT_WORDS:]
        for line in text.splitlines()[:_LINES_PER_S]:
            self.say(self.logger, logging.INFO, line)

    def say(self, logger: logging.Logger, level: int, line: str) -> None:
        """Log one line, if it is heard."""
        if self.may_speak():
            logger.log(level, "%s", _printable(line))


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:_LINE])


@dataclass(slots=True)
class _Stream:
    outbox: bytearray = field(default_factory=bytearray)
    moved_at: float = 0.0


class ChildProcess:
    """A child from its start to its end; made anew for every start."""

    def __init__(self, launch: Launch, limits: Limits, on_end: Told, on_try: Told) -> None:
        self._launch = launch
        self._limits = limits
        self._on_end = on_end
        self._on_try = on_try
        self._lock = threading.Lock()
        self._calls: dict[int, _Call] = {}
        self._count = 0
        self._stream = _Stream()
        self._ready = threading.Event()
        self._answer: Message = {}
        self._ending: tuple[str, str] | None = None
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_out, False)
        os.set_blocking(self._wake_in, False)
        self.started_at = time.monotonic()
        self.used_at = self.started_at
        self.is_ended = False
        self.pid: int | None = None
        name = f"detectviz.plugins.{launch.label.replace('/', '.')}"
        self._voice = _Voice(logging.getLogger(name))
        self._thread = threading.Thread(target=self._run, name=f"child {launch.label}", daemon=True)

    def start(self) -> Message:
        """Start, greet and return the child's welcome, or its error; blocks."""
        self._thread.start()
        if not self._ready.wait(self._limits.start_s):
            self.end("start", f"It did not answer within {self._limits.start_s:g} s of its start.")
            self._ready.wait(_STALLED_S)
        return self._answer

    @property
    def calls(self) -> int:
        """How many calls are under way."""
        return len(self._calls)

    @property
    def ending(self) -> str:
        """Why it ended; empty while it runs."""
        return self._ending[1] if self._ending else ""

    def open(self, sink: Sink, logger: logging.Logger | None = None) -> int:
        """Return the number of a new call whose messages go to ``sink``, in the child's thread."""
        with self._lock:
            self._count += 1
            self._calls[self._count] = _Call(sink, logger or self._voice.logger)
            self.used_at = time.monotonic()
            number = self._count
            if self.is_ended:
                sink({"ended": self.ending})
        return number

    def close(self, number: int) -> None:
        """Forget a call that was answered."""
        with self._lock:
            self._calls.pop(number, None)
            self.used_at = time.monotonic()

    def abandon(self, number: int) -> None:
        """Cancel a call nobody waits for; a child that does not give it up is ended."""
        with self._lock:
            call = self._calls.get(number)
            if call is None or call.answered:
                self._calls.pop(number, None)
                return
            call.sink = lambda _: None
            call.abandoned_at = time.monotonic()
        self.send(wire.notification("cancel", {"call": number}))

    def send(self, message: Message) -> None:
        """Queue one message; never blocks. Raise FrameError for one that is too large."""
        frame = wire.pack(message, largest=self._limits.largest_frame)
        with self._lock:
            if not self._stream.outbox:
                self._stream.moved_at = time.monotonic()
            self._stream.outbox += frame
        self._wake()

    def end(self, reason: str, message: str) -> None:
        """Have the child ended."""
        if self._ending is None:
            self._ending = (reason, message)
        self._wake()

    def join(self, timeout_s: float) -> None:
        """Wait until it is gone."""
        self._thread.join(timeout_s)

    def _wake(self) -> None:
        # Under the lock: the number of a closed pipe soon belongs to somebody else's file.
        with self._lock, contextlib.suppress(OSError):
            os.write(self._wake_out, b"x")

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        ours, theirs = socket.socketpair()
        process: subprocess.Popen[bytes] | None = None
        try:
            with ours, theirs:
                process = subprocess.Popen(  # noqa: S603 - our own command
                    self._launch.argv,
                    env=self._launch.environment,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
                self.pid = process.pid
                theirs.close()
                ours.setblocking(False)
                self._greet()
                self._serve(ours, process)
        except Exception as error:  # noqa: BLE001 - the thread's end is the child's end
            self.end("exit", f"{type(error).__name__}: {error}")
        finally:
            self._finish(process)

    def _greet(self) -> None:
        greeting = {
            "versions": list(wire.VERSIONS),
            "largest_frame": self._limits.largest_frame,
            **self._launch.greeting,
        }
        self.send(wire.request(0, "initialize", greeting))

    def _serve(self, ours: socket.socket, process: "subprocess.Popen[bytes]") -> None:
        errors = process.stderr
        if errors is None:
            return
        os.set_blocking(errors.fileno(), False)
        reader = wire.FrameReader(largest=self._limits.largest_frame)
        with selectors.DefaultSelector() as selector:
            selector.register(ours, selectors.EVENT_READ)
            selector.register(errors, selectors.EVENT_READ)
            selector.register(self._wake_in, selectors.EVENT_READ)
            while self._ending is None:
                events = selectors.EVENT_READ
                if self._stream.outbox:
                    events |= selectors.EVENT_WRITE
                selector.modify(ours, events)
                for key, mask in selector.select(_TICK_S):
                    self._on_ready(key, mask, ours, reader, selector)
                self._watch()

    def _on_ready(
        self,
        key: selectors.SelectorKey,
        mask: int,
        ours: socket.socket,
        reader: wire.FrameReader,
        selector: selectors.BaseSelector,
    ) -> None:
        if key.fd == self._wake_in:
            os.read(self._wake_in, 4_096)
        elif key.fileobj is ours:
            if mask & selectors.EVENT_WRITE:
                self._flush(ours)
            if mask & selectors.EVENT_READ:
                self._receive(ours, reader)
        else:
            words = os.read(key.fd, 65_536)
            if not words:
                selector.unregister(key.fileobj)
            self._voice.hear(words)

    def _flush(self, ours: socket.socket) -> None:
        with self._lock, contextlib.suppress(BlockingIOError, ConnectionError):
            sent = ours.send(bytes(self._stream.outbox[:_CHUNK]))
            del self._stream.outbox[:sent]
            self._stream.moved_at = time.monotonic()

    def _receive(self, ours: socket.socket, reader: wire.FrameReader) -> None:
        try:
            data = ours.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self.end("exit", f"Its process ended ({error.strerror}).")
            return
        if not data:
            self.end("exit", "Its process ended.")
            return
        try:
            for message in reader.feed(data):
                self._dispatch(message)
        except (wire.FrameError, KeyError, TypeError, AttributeError) as error:
            self.end("protocol", f"It broke the protocol: {error}")

    def _dispatch(self, message: Message) -> None:
        method = message.get("method")
        if method is None:
            self._answered(message)
        elif method == "service":
            self._on_service(message)
        elif method == "log":
            self._on_log(message["params"])
        elif method == "attempt":
            self._on_attempt(message["params"])
        else:
            raise wire.FrameError("It called a method there is not.")

    def _answered(self, message: Message) -> None:
        identity = message.get("id")
        if identity == 0 and not self._ready.is_set():
            self._answer = message
            self._ready.set()
            return
        with self._lock:
            call = self._calls.get(identity) if type(identity) is int else None
            if call is None:
                raise wire.FrameError("It answered a call there is not.")
            call.answered = True
            if call.abandoned_at is not None and type(identity) is int:
                del self._calls[identity]
        call.sink(message)

    def _on_service(self, message: Message) -> None:
        number = message["params"]["call"]
        with self._lock:
            call = self._calls.get(number) if type(number) is int else None
        if type(message.get("id")) is not str or len(message["id"]) > 40:  # noqa: PLR2004 - ours are short
            raise wire.FrameError("A request has no name to answer to.")
        if call is None or call.answered or call.abandoned_at is not None:
            error = {"code": -32602, "message": "The call has ended."}
            self.send(wire.failure(message["id"], error))
            return
        # Items of a stream are sent one at a time, when asked for.
        call.services += message["params"]["handle"] != wire.STREAM
        if call.services > self._limits.services_per_call:
            raise wire.FrameError("It asked too often for services during one call.")
        call.sink(message)

    def _on_log(self, params: dict[str, Any]) -> None:
        with self._lock:
            call = self._calls.get(params["call"])
        level = params["level"] if params["level"] in (10, 20, 30, 40) else logging.INFO
        self._voice.say(
            (call.logger if call else self._voice.logger), level, str(params["message"])
        )

    def _on_attempt(self, params: dict[str, Any]) -> None:
        permission, wanted = params["permission"], params["wanted"]
        if permission in ATTEMPTS and isinstance(wanted, str) and self._voice.may_speak():
            self._on_try(permission, _printable(wanted))

    def _watch(self) -> None:
        now = time.monotonic()
        if self._stream.outbox and now - self._stream.moved_at > _STALLED_S:
            self.end("deadline", f"It read nothing for {_STALLED_S:g} s.")
        with self._lock:
            late = [
                call
                for call in self._calls.values()
                if call.abandoned_at is not None and now - call.abandoned_at > self._limits.grace_s
            ]
        if late:
            self.end("deadline", "It did not end a call when told to.")

    def _finish(self, process: "subprocess.Popen[bytes] | None") -> None:
        if process is not None:
            _kill(process)
            self._hear_last(process)
        self.end("exit", "Its process ended.")
        with self._lock:
            self.is_ended = True
            sinks = [call.sink for call in self._calls.values()]
            self._calls.clear()
            os.close(self._wake_in)
            os.close(self._wake_out)
            self._wake_in = self._wake_out = -1
        if not self._ready.is_set():
            message = f"{self.ending} {self._voice.last_line}".strip()
            self._answer = wire.failure(0, {"code": -32000, "message": message})
        self._on_end(self._ending[0] if self._ending else "exit", self.ending)
        self._ready.set()
        for sink in sinks:
            sink({"ended": self.ending})

    def _hear_last(self, process: "subprocess.Popen[bytes]") -> None:
        if process.stderr is not None:
            with process.stderr as errors, contextlib.suppress(OSError, ValueError):
                self._voice.hear(os.read(errors.fileno(), _KEPT_WORDS))


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End the child and everything of its session; with bubblewrap its namespace goes with it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STALLED_S)
