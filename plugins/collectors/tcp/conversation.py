"""Sending and expecting on a byte stream, as blackbox_exporter's query_response does."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

import re2

from detectviz.contracts.collector import Metric
from detectviz.contracts.config import get_bool, get_text, get_text_map
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.network import Connection
from detectviz.contracts.types import JsonObject

_MOST_BYTES = 262_144
_LINE_ENDS = {"crlf": b"\r\n", "lf": b"\n", "none": b""}
_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
_ESCAPE = r"\\(x[0-9A-Fa-f]{2}|.)"
_PROMPT_S = 0.05


class ExpectationError(Exception):
    """The peer said something else; the message says what was awaited and what came."""


@dataclass(slots=True)
class Conversation:
    """One run of the steps. ``transcript`` and ``metrics`` grow as it goes."""

    connection: Connection
    start_tls: Callable[[], Awaitable[object]]
    transcript: list[str] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    step: int = 0
    _buffer: bytes = b""
    _groups: tuple[str, ...] = ()

    async def run(self, steps: tuple[JsonObject, ...]) -> None:
        """Run the steps in order; raise ExpectationError or NetworkError at the first failure."""
        for number, step in enumerate(steps, start=1):
            self.step = number
            await self._send(step)
            if get_bool(step, "starttls"):
                await self.start_tls()
                self._buffer = b""
                self.transcript.append("# TLS started")
            if get_text(step, "expect"):
                await self._expect_line(step)
            if get_text(step, "expect_hex"):
                await self._expect_bytes(bytes.fromhex(get_text(step, "expect_hex")))

    async def _send(self, step: JsonObject) -> None:
        text = get_text(step, "send")
        if text:
            data = unescape(expand(text, self._groups)) + _LINE_ENDS[get_text(step, "line_end")]
        else:
            data = bytes.fromhex(get_text(step, "send_hex"))
        if data:
            self.transcript.append(f"> {data[:200]!r}")
            await self.connection.send(data)

    async def _expect_line(self, step: JsonObject) -> None:
        search = compile_pattern(get_text(step, "expect"))
        last = ""
        while True:
            line, is_whole = await self._next_line()
            found = search(line)
            if found:
                self._groups = tuple(group or "" for group in (found.group(0), *found.groups()))
                self._note_labels(step)
                return
            if line:
                last = line
            if not line and not is_whole:
                said = f"the last line was {last[:200]!r}" if last else "nothing came"
                raise ExpectationError(f"{get_text(step, 'expect')!r} never came; {said}")

    async def _next_line(self) -> tuple[str, bool]:
        """Return the next line and whether it is whole; a prompt is a line that stays unended."""
        while b"\n" not in self._buffer:
            data = await self._receive_more()
            if data:
                self._buffer += data
                continue
            # Either the end of the stream, or a prompt after which the peer waits for us.
            line, self._buffer = self._buffer, b""
            return self._heard(line), False
        line, _, self._buffer = self._buffer.partition(b"\n")
        return self._heard(line.rstrip(b"\r")), True

    async def _receive_more(self) -> bytes:
        if len(self._buffer) >= _MOST_BYTES:
            raise ExpectationError(f"the peer sent more than {_MOST_BYTES} bytes in one line")
        if not self._buffer:
            return await self.connection.receive()
        try:
            async with asyncio.timeout(_PROMPT_S):
                return await self.connection.receive()
        except TimeoutError:
            return b""

    def _heard(self, line: bytes) -> str:
        text = line.decode("utf-8", "replace")
        if line:
            self.transcript.append(f"< {text[:200]}")
        return text

    def _note_labels(self, step: JsonObject) -> None:
        labels = get_text_map(step, "labels")
        if labels:
            found = {name: expand(text, self._groups)[:200] for name, text in labels.items()}
            self.metrics.append(Metric(name="probe_expect_info", value=1.0, labels=found))

    async def _expect_bytes(self, wanted: bytes) -> None:
        while len(self._buffer) < len(wanted):
            data = await self.connection.receive()
            if not data:
                break
            self._buffer += data
        found, self._buffer = self._buffer[: len(wanted)], self._buffer[len(wanted) :]
        self.transcript.append(f"< {found[:200]!r}")
        if found != wanted:
            raise ExpectationError(
                f"bytes {wanted[:32].hex()} were awaited and {found[:32].hex() or 'none'} came"
            )


class Found(Protocol):
    """What is used of a match."""

    def group(self, number: int) -> str:
        """Return the whole match for 0."""

    def groups(self) -> tuple[str | None, ...]:
        """Return the groups from 1 on."""


def compile_pattern(pattern: str) -> Callable[[str], Found | None]:
    """Return the search function of an RE2 pattern; raise ConfigurationError."""
    options = re2.Options()
    options.log_errors = False
    try:
        return cast("Callable[[str], Found | None]", re2.compile(pattern, options).search)
    except re2.error as error:
        raise ConfigurationError(f"{pattern!r} is no RE2 pattern.", field="/steps") from error


def expand(text: str, groups: tuple[str, ...]) -> str:
    """Replace ``${n}`` by the n-th group; an unknown one becomes empty, as in Go."""

    def group(match: re.Match[str]) -> str:
        number = int(match[1])
        return groups[number] if number < len(groups) else ""

    return re.sub(r"\$\{(\d{1,2})\}", group, text)


def unescape(text: str) -> bytes:
    """Return the bytes of ``text`` with its backslash escapes; unknown ones stay as they are."""
    parts: list[bytes] = []
    position = 0
    for match in re.finditer(_ESCAPE, text):
        parts.append(text[position : match.start()].encode("utf-8", "replace"))
        name = match[1]
        if len(name) > 1:
            parts.append(bytes.fromhex(name[1:]))
        else:
            parts.append(_ESCAPES.get(name, match[0].encode("utf-8", "replace")))
        position = match.end()
    return b"".join((*parts, text[position:].encode("utf-8", "replace")))
