"""The bridge between the ASGI server and WSGI, driven as the server does."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from detectviz.runtime.bridge import GONE_KEY, WsgiBridge
from detectviz.runtime.passage import Message, Scope

Environ = dict[str, Any]
Application = Callable[..., Iterable[bytes]]


def scope(path: str = "/", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Scope:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"a=1",
        "http_version": "1.1",
        "headers": list(headers),
        "client": ("192.0.2.7", 1234),
        "server": ("127.0.0.1", 80),
    }


def bridge(application: Application, **options: Any) -> WsgiBridge:
    return WsgiBridge(application, **{"name": "t", "threads": 2, "max_body_bytes": 1000, **options})


async def ask(
    served: WsgiBridge, *chunks: bytes, asked: Scope | None = None, leaves: bool = False
) -> list[Message]:
    """Send one request; return what came back."""
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    for place, chunk in enumerate(chunks or (b"",)):
        more = place + 1 < len(chunks)
        incoming.put_nowait({"type": "http.request", "body": chunk, "more_body": more})
    if leaves:
        incoming.put_nowait({"type": "http.disconnect"})
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await served(asked or scope(), incoming.get, send)
    return sent


def echo(environ: Environ, start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("Content-Length", str(len(body))), ("X-Path", environ["PATH_INFO"])])
    return [body]


def test_a_body_in_pieces_reaches_the_application_whole_and_the_answer_comes_in_one() -> None:
    head, body = asyncio.run(ask(bridge(echo), b"ab", b"cd"))
    assert head["status"] == 200
    assert (b"x-path", b"/") in head["headers"]
    assert body == {"type": "http.response.body", "body": b"abcd"}


def test_headers_with_an_underscore_do_not_pass_for_others() -> None:
    seen: list[Environ] = []

    def application(environ: Environ, start_response: Any) -> list[bytes]:
        seen.append(environ)
        return echo(environ, start_response)

    asked = scope(
        headers=((b"x_forwarded_for", b"10.0.0.1"), (b"x-a", b"1"), (b"x-a", b"2")),
        path="/grüße",
    )
    asyncio.run(ask(bridge(application), asked=asked))
    assert "HTTP_X_FORWARDED_FOR" not in seen[0]
    assert seen[0]["HTTP_X_A"] == "1,2"
    assert seen[0]["PATH_INFO"].encode("latin1").decode() == "/grüße"
    assert seen[0]["REMOTE_ADDR"] == "192.0.2.7"


def test_too_large_a_body_is_refused_before_a_thread_is_taken() -> None:
    def never(environ: Environ, start_response: Any) -> list[bytes]:
        raise AssertionError

    head, body = asyncio.run(ask(bridge(never), b"x" * 600, b"x" * 600))
    assert head["status"] == 413
    assert b"1000 bytes" in body["body"]


def test_a_sender_that_leaves_midway_is_forgotten() -> None:
    async def run() -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await bridge(echo)(scope(), receive, send)
        return sent

    assert asyncio.run(run()) == []


def test_a_stream_comes_piece_by_piece_and_is_closed_by_its_own_thread() -> None:
    threads: list[int] = []

    class Stream:
        streaming = True

        def __iter__(self) -> Iterator[bytes]:
            threads.append(threading.get_ident())
            yield from (b"1", b"2")

        def close(self) -> None:
            threads.append(threading.get_ident())

    def application(environ: Environ, start_response: Any) -> Stream:
        start_response("200 OK", [])
        return Stream()

    messages = asyncio.run(ask(bridge(application)))
    assert [message.get("body") for message in messages] == [None, b"1", b"2", b""]
    assert len(set(threads)) == 1


def test_a_client_that_hangs_up_is_told_to_the_application_and_ends_a_stream() -> None:
    def application(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        assert environ[GONE_KEY].wait(5)
        yield b"first"
        yield b"never"

    messages = asyncio.run(ask(bridge(application), leaves=True))
    assert b"never" not in [message.get("body") for message in messages]


def test_one_tenant_never_holds_every_thread() -> None:
    release, entered = threading.Event(), threading.Event()
    running: list[str] = []

    def application(environ: Environ, start_response: Any) -> list[bytes]:
        running.append(environ["PATH_INFO"])
        entered.set()
        if environ["PATH_INFO"] == "/loud":
            assert release.wait(5)
        return echo(environ, start_response)

    async def run() -> tuple[list[str], list[list[Message]]]:
        served = bridge(application, threads=2, per_tenant=1, tenant_of=lambda path: path)
        loud = [asyncio.ensure_future(ask(served, asked=scope("/loud"))) for _ in range(3)]
        await asyncio.to_thread(entered.wait, 5)
        quiet = await ask(served, asked=scope("/quiet"))
        seen = list(running)
        release.set()
        return seen, [quiet, *await asyncio.gather(*loud)]

    seen, answers = asyncio.run(run())
    assert seen == ["/loud", "/quiet"]
    assert [answer[0]["status"] for answer in answers] == [200] * 4


def test_a_crowd_of_one_tenant_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectviz.runtime.bridge._MOST_WAITING", 1)
    monkeypatch.setattr("detectviz.runtime.bridge._REFUSED_AFTER_S", 0.01)
    release, entered = threading.Event(), threading.Event()

    def application(environ: Environ, start_response: Any) -> list[bytes]:
        entered.set()
        assert release.wait(5)
        return echo(environ, start_response)

    async def run() -> list[Message]:
        served = bridge(application, per_tenant=1, tenant_of=lambda _: "one")
        first = asyncio.ensure_future(ask(served))
        await asyncio.to_thread(entered.wait, 5)
        refused = await ask(served, asked=scope("/orgs/one/prometheus/api/v1/query"))
        release.set()
        await first
        return refused

    head, body = asyncio.run(run())
    assert head["status"] == 503
    assert (b"retry-after", b"5") in head["headers"]
    assert json.loads(body["body"]) == {
        "status": "error",
        "errorType": "unavailable",
        "error": "too many requests of this org are waiting; try again",
    }


def test_a_body_too_large_for_the_query_door_is_refused_in_its_shape() -> None:
    asked = scope("/orgs/one/prometheus/api/v1/query")
    head, body = asyncio.run(ask(bridge(echo), b"x" * 1001, asked=asked))
    assert head["status"] == 413
    assert (b"content-type", b"application/json") in head["headers"]
    assert json.loads(body["body"])["errorType"] == "bad_data"


def test_what_the_application_raises_reaches_the_server() -> None:
    def application(environ: Environ, start_response: Any) -> list[bytes]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(ask(bridge(application)))
