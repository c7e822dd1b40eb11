"""The conformance suite of authenticators: subclass it with a configuration and credentials."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest

from detectviz.contracts.auth import (
    AuthContext,
    Authenticator,
    BearerToken,
    Credentials,
    ProxyHeaders,
    UsernamePassword,
)
from detectviz.contracts.errors import NetworkError
from detectviz.contracts.network import HttpClient, HttpRequest, HttpResponse
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.plugins import built_in_plugins, checked_config

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class NoHttp:
    """A network on which nobody answers."""

    def fetch(self, request: HttpRequest) -> HttpResponse:
        """Fail."""
        raise NetworkError(f"{request.url} does not answer", phase="connect")

    def require_allowed(self, host: str, port: int) -> None:
        """Allow everything: nothing is reached."""


def make_context(
    name: str,
    config: JsonObject,
    secrets: Mapping[str, str] | None = None,
    *,
    http: HttpClient | None = None,
    now: Callable[[], datetime] = lambda: NOW,
) -> AuthContext:
    """Return a context with a configuration the plugin's schema accepts."""
    checked = checked_config(PluginKind.AUTH, name, config, dict(secrets or {}))
    return AuthContext(
        config=checked.config,
        secrets=checked.secrets,
        http=http or NoHttp(),
        now=now,
        timeout_s=5.0,
        logger=logging.getLogger("conformance"),
    )


class AuthConformance:
    """Every authenticator passes it. ``username`` is whom the good credentials belong to."""

    name: str
    username: str

    @pytest.fixture
    def context(self) -> AuthContext:
        """Return a context in which the good credentials are good."""
        raise NotImplementedError

    @pytest.fixture
    def good(self) -> Credentials:
        """Return credentials of ``username``."""
        raise NotImplementedError

    @pytest.fixture
    def bad(self) -> Credentials:
        """Return credentials of the same kind that prove nothing."""
        raise NotImplementedError

    @pytest.fixture
    def plugin(self) -> Authenticator:
        """Return the plugin's instance."""
        loaded: Authenticator = built_in_plugins().load(PluginKind.AUTH, self.name)
        return loaded

    def test_good_credentials_name_their_owner(
        self, plugin: Authenticator, context: AuthContext, good: Credentials
    ) -> None:
        identity = plugin.authenticate(good, context)
        assert identity is not None
        assert identity.username == self.username

    def test_bad_credentials_name_nobody(
        self, plugin: Authenticator, context: AuthContext, bad: Credentials
    ) -> None:
        assert plugin.authenticate(bad, context) is None

    @pytest.mark.parametrize(
        "other",
        [
            BearerToken(token=""),
            BearerToken(token="x" * 100_000),
            BearerToken(token="a.b.c"),
            BearerToken(token="..\x00ö"),
            UsernamePassword(username="", password=""),
            UsernamePassword(username="admin", password="ö\x00" * 1000),
            ProxyHeaders(headers={}, peer="192.0.2.1"),
        ],
        ids=lambda each: type(each).__name__,
    )
    def test_what_is_not_its_own_names_nobody(
        self, plugin: Authenticator, context: AuthContext, other: Credentials
    ) -> None:
        assert plugin.authenticate(other, context) is None

    def test_credentials_do_not_show_their_secret(self, good: Credentials) -> None:
        for secret in (getattr(good, "token", ""), getattr(good, "password", "")):
            assert not secret or secret not in repr(good)

    def test_its_configuration_is_accepted(
        self, plugin: Authenticator, context: AuthContext
    ) -> None:
        check = getattr(plugin, "check_config", None)
        if check is not None:
            check(context)
