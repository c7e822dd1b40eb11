"""Requests handed to the process for heavy ones, over a real socket."""

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from detectviz.runtime.bridge import GONE_KEY, Environ, WsgiBridge
from detectviz.runtime.passage import Application, Message, Passage, Scope, serve_passed
from detectviz.runtime.shares import Shares

CPU_S = 0.3


def bridge(
    application: Any, passage: Passage | None = None, *, is_alone: bool = False
) -> WsgiBridge:
    shares = Shares()
    if not is_alone:
        shares.note("/another")
    return WsgiBridge(
        application,
        name="t",
        threads=2,
        max_body_bytes=1 << 22,
        tenant_of=lambda path: path,
        passage_of=lambda _: passage,
        shares=shares,
    )


def scope(path: str = "/one") -> Scope:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"q=%C3%BC",
        "http_version": "1.1",
        "headers": [(b"x-a", b"\xfc")],
        "client": ("192.0.2.7", 1234),
        "server": ("127.0.0.1", 80),
    }


async def ask(served: Application, body: bytes = b"", leaves_after_s: float = 60) -> list[Message]:
    sent: list[Message] = []
    has_asked = False

    async def receive() -> Message:
        nonlocal has_asked
        if not has_asked:
            has_asked = True
            return {"type": "http.request", "body": body}
        await asyncio.sleep(leaves_after_s)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await served(scope(), receive, send)
    return sent


@asynccontextmanager
async def other_process(path: Path, application: Application) -> Any:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_passed(application, reader, writer)

    async with await asyncio.start_unix_server(serve, path):
        yield Passage(path)


def told(where: str) -> Any:
    """Answer where it was answered and what was sent."""

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        text = f"{where} {environ['QUERY_STRING']} {environ['HTTP_X_A']} {len(body)}"
        start_response("200 OK", [("Content-Length", str(len(text))), ("X-B", "\xe4")])
        return [text.encode()]

    return application


def stubborn(environ: Environ, start_response: Any) -> Iterable[bytes]:
    """Work until nobody waits, or long enough."""
    ends_at = time.thread_time() + CPU_S
    while time.thread_time() < ends_at and not environ[GONE_KEY].is_set():
        sum(range(1000))
    start_response("499 Gone", [("Content-Length", "0")])
    return []


def test_a_large_body_is_answered_elsewhere_and_nothing_is_lost(tmp_path: Path) -> None:
    async def run() -> tuple[list[Message], list[Message]]:
        async with other_process(tmp_path / "s", bridge(told("there"))) as passage:
            here = bridge(told("here"), passage)
            return await ask(here, b"x" * 1000), await ask(here, b"x" * 3_000_000)

    small, large = asyncio.run(run())
    assert small[-1]["body"] == "here q=%C3%BC ü 1000".encode()
    assert b"".join(one.get("body", b"") for one in large) == "there q=%C3%BC ü 3000000".encode()
    assert large[0]["status"] == 200
    assert (b"x-b", b"\xe4") in large[0]["headers"]


def test_a_tenant_that_is_alone_is_answered_here(tmp_path: Path) -> None:
    async def run() -> list[Message]:
        async with other_process(tmp_path / "s", bridge(told("there"))) as passage:
            return await ask(bridge(told("here"), passage, is_alone=True), b"x" * 3_000_000)

    assert asyncio.run(run())[-1]["body"].startswith(b"here")


def test_a_query_that_takes_long_begins_again_elsewhere_and_the_next_goes_there(
    tmp_path: Path,
) -> None:
    async def run() -> tuple[list[Message], list[Message]]:
        async with other_process(tmp_path / "s", bridge(told("there"))) as passage:
            here = bridge(stubborn, passage)
            return await ask(here, b"abc"), await ask(here, b"abcd")

    first, second = asyncio.run(run())
    assert b"".join(one.get("body", b"") for one in first).endswith(b" 3")
    assert b"".join(one.get("body", b"") for one in second).endswith(b" 4")


def test_without_another_process_everything_is_answered_here(tmp_path: Path) -> None:
    here = bridge(told("here"), Passage(tmp_path / "nobody"))
    assert asyncio.run(ask(here, b"x" * 3_000_000))[-1]["body"].startswith(b"here")
    assert asyncio.run(ask(bridge(stubborn, Passage(tmp_path / "nobody"))))[0]["status"] == 499


def test_a_stream_comes_through(tmp_path: Path) -> None:
    def streamed(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield from (b"1", b"2")

    async def run() -> list[Message]:
        async with other_process(tmp_path / "s", bridge(streamed)) as passage:
            return await ask(bridge(told("here"), passage), b"x" * 200_000)

    assert b"".join(one.get("body", b"") for one in asyncio.run(run())) == b"12"


def test_who_hangs_up_here_is_gone_there(tmp_path: Path) -> None:
    is_gone = threading.Event()

    def waiting(environ: Environ, start_response: Any) -> Iterable[bytes]:
        if environ[GONE_KEY].wait(10):
            is_gone.set()
        start_response("200 OK", [("Content-Length", "0")])
        return []

    async def run() -> bool:
        async with other_process(tmp_path / "s", bridge(waiting)) as passage:
            with suppress(asyncio.CancelledError):
                await ask(bridge(told("here"), passage), b"x" * 200_000, leaves_after_s=0.05)
            return await asyncio.to_thread(is_gone.wait, 5)

    assert asyncio.run(run())


@pytest.mark.parametrize("is_there", [True, False])
def test_an_end_without_an_answer_is_a_503(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    monkeypatch.setattr("detectviz.runtime.bridge._REFUSED_AFTER_S", 0.01)
    path = tmp_path / "s"

    async def ends(scope: Scope, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)

    async def run() -> list[Message]:
        async with other_process(path, ends) as passage:
            if is_there:
                return await ask(bridge(told("here"), passage), b"x" * 200_000)
        return await ask(bridge(told("here"), passage), b"x" * 200_000)

    assert asyncio.run(run())[0]["status"] == 503
