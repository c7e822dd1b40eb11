"""The conformance suite of middlewares: subclass it with a configuration."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from detectviz.contracts.cache import CacheConnection
from detectviz.contracts.middleware import (
    AnswerView,
    Middleware,
    MiddlewareContext,
    RequestView,
    Verdict,
)
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing import cache as caches
from detectviz.testing.plugins import built_in_plugins, checked_config

TOKEN_CHARACTERS = frozenset("!#$%&'*+-.^_`|~abcdefghijklmnopqrstuvwxyz0123456789")


def make_cache() -> CacheConnection:
    """Return an empty cache in memory."""
    opened: CacheConnection = (
        built_in_plugins().load(PluginKind.CACHE, "memory").open(caches.make_context("memory", {}))
    )
    return opened


def make_context(
    name: str, config: JsonObject, *, now_s: Callable[[], float] = lambda: 1_000_000.0
) -> MiddlewareContext:
    """Return a context with a configuration the plugin's schema accepts, and an empty cache."""
    return MiddlewareContext(
        config=checked_config(PluginKind.MIDDLEWARE, name, config).config,
        secrets={},
        cache=make_cache(),
        now_s=now_s,
        timeout_s=1.0,
        logger=logging.getLogger("conformance"),
    )


def make_request(
    method: str = "GET",
    path: str = "/apis/core/v1/orgs/acme/users",
    *,
    org: str = "acme",
    address: str = "192.0.2.1",
    headers: Mapping[str, str] | None = None,
) -> RequestView:
    """Return a request of a program."""
    return RequestView(
        method=method,
        path=path,
        address=address,
        org=org,
        user_id=None,
        is_api=path.startswith(("/apis/", "/orgs/")),
        headers=dict(headers or {}),
    )


class MiddlewareConformance:
    """Every middleware passes it."""

    name: str

    @pytest.fixture
    def config(self) -> JsonObject:
        """Return a configuration with which an ordinary request is served."""
        return {}

    @pytest.fixture
    def middleware(self) -> Middleware:
        """Return the plugin's instance."""
        plugin: Middleware = built_in_plugins().load(PluginKind.MIDDLEWARE, self.name)
        return plugin

    @pytest.fixture
    def context(self, config: JsonObject) -> MiddlewareContext:
        """Return a context of this test's own."""
        return make_context(self.name, config)

    def test_its_schema_says_what_happens_when_it_fails(self) -> None:
        schema = built_in_plugins().manifest(PluginKind.MIDDLEWARE, self.name).config_schema
        properties = schema["properties"]
        assert isinstance(properties, Mapping)
        row = properties["on_failure"]
        assert isinstance(row, Mapping)
        assert row["default"] in {"open", "closed"}

    def test_an_ordinary_request_is_served(
        self, middleware: Middleware, context: MiddlewareContext
    ) -> None:
        assert middleware.handle(make_request(), context).answer is None

    def test_a_page_is_served(self, middleware: Middleware, context: MiddlewareContext) -> None:
        assert middleware.handle(make_request(path="/o/acme/"), context).answer is None

    def test_strange_requests_get_a_verdict(
        self, middleware: Middleware, context: MiddlewareContext
    ) -> None:
        for request in (
            make_request("BREW", "/", org="", address=""),
            make_request(path="/" + "x" * 5000, headers={"origin": "\x7f" * 900}),
            make_request("OPTIONS", headers={"origin": "null", "user-agent": "ö" * 200}),
        ):
            self.assert_sound(middleware.handle(request, context))

    def test_several_threads_ask_at_once(
        self, middleware: Middleware, context: MiddlewareContext
    ) -> None:
        with ThreadPoolExecutor(8) as pool:
            for verdict in pool.map(
                lambda _: middleware.handle(make_request(), context), range(50)
            ):
                self.assert_sound(verdict)

    def test_it_stands_what_it_is_told_of_answers(
        self, middleware: Middleware, context: MiddlewareContext
    ) -> None:
        observe = getattr(middleware, "observe", None)
        if observe is not None:
            observe(make_request(), AnswerView(status=200, duration_s=0.1, bytes=None), context)

    def assert_sound(self, verdict: Verdict) -> None:
        """Fail the test for a verdict the host could not carry out."""
        for name, value in verdict.headers.items():
            assert set(name.lower()) <= TOKEN_CHARACTERS
            assert "\r" not in value
            assert "\n" not in value
        if verdict.answer is not None:
            assert 200 <= verdict.answer.status < 600
