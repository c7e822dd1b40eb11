"""Redirects are followed one by one."""

import asyncio
from dataclasses import replace

import pytest

from detectviz.contracts.network import HttpRequest, HttpResponse, Phases
from detectviz.contracts.tool import ToolAnswer
from detectviz.contracts.types import JsonObject
from detectviz.testing.networks import BadNetwork
from detectviz.testing.tools import ToolSuite, make_tool_context
from plugins.tools.http_trace.http_trace import HttpTrace


class TestConformance(ToolSuite):
    """With a URL."""

    name = "http-trace"
    config: JsonObject = {"url": "https://example.org/"}


class WebNetwork(BadNetwork):
    """Serves a few paths: /a leads to /b, /loop to itself, /out to a file."""

    async def fetch(self, request: HttpRequest) -> HttpResponse:
        """Answer as a server would."""
        answer = await super().fetch(request)
        path = request.url.removeprefix("https://example.org")
        target = {"/a": "b", "/loop": "/loop", "/out": "file:///etc/passwd"}.get(path)
        headers = (("Location", target),) if target else (("Server", "tests"),)
        status = 302 if target else 404 if path == "/none" else 200
        return replace(
            answer, status_code=status, headers=headers, phases=Phases(connect=0.01, tls=0.02)
        )


def run(path: str, redirects: int = 10) -> ToolAnswer:
    config: JsonObject = {"url": f"https://example.org{path}", "max_redirects": redirects}
    context = make_tool_context("http-trace", config, WebNetwork("empty"))
    return asyncio.run(HttpTrace().run(context))


def test_each_step_has_its_row() -> None:
    answer = run("/a")
    table = answer.drawings[0].table
    assert table is not None
    assert answer.is_ok
    assert [row[:2] for row in table.rows] == [
        ("https://example.org/a", 302),
        ("https://example.org/b", 200),
    ]
    assert answer.summary == "2 requests in 60 ms, the last answered 200"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/none", "answered 404"),
        ("/loop", "more redirects than may be followed"),
        ("/out", "the redirect to file:///etc/passwd is not followed"),
    ],
)
def test_what_does_not_end_well_is_not_all_right(path: str, said: str) -> None:
    answer = run(path, redirects=3)
    assert not answer.is_ok
    assert said in answer.summary
